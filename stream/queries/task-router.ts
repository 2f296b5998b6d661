/**
 * Who answers for a task: this member if it processes it, else the one that does, which is asked once
 * and asks nobody else. Where old answers will do, and that one is away, whoever stands by.
 */
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { HostAnswer, HostLink } from "./ask-host.ts";
import type { Staleness } from "./parameters.ts";
import type { QueriedApp } from "./queried-app.ts";
import { QueryError } from "./query-error.ts";

/** What was read here, and how old it may be. */
export interface ReadHere<T> {
  readonly value: T;
  /** Null: it is what the task has now. */
  readonly stale: { readonly lag: number | null } | null;
}

/** What is asked for, here or elsewhere. */
export interface RoutedQuery<T> {
  readonly store: string;
  readonly staleness: Staleness | null;
  /** Path and parameters, for other members. */
  readonly path: string;
  /** Another member asks: it has looked who there is. */
  readonly isForwarded: boolean;
  read(store: AnyStore): T;
}

/** By task: what was read here, or what another member has answered to. */
export interface RoutedScan<T> {
  readonly here: ReadonlyMap<TaskId, ReadHere<T>>;
  readonly answers: readonly HostAnswer[];
}

/** See the head of the file. */
export class TaskRouter {
  constructor(private readonly app: QueriedApp, private readonly link: HostLink) {}

  /** Throws `QueryError` where nobody can answer. */
  async ask<T>(task: TaskId, query: RoutedQuery<T>): Promise<ReadHere<T> | HostAnswer> {
    const here = this.app.storeOf(task, query.store);
    if (here !== null && here.state !== "standby") return this.#read(task, query);
    let why: unknown = this.#nowhere(task);
    if (!query.isForwarded) {
      const owner = this.#others(({ active }) => active.includes(task))[0];
      try {
        if (owner !== undefined) {
          const answer = await this.link.ask(owner.endpoint, query.path, [task]);
          if (answer.status !== 503 || query.staleness === null) return answer;
        }
      } catch (error) {
        why = error;
      }
    }
    if (query.staleness === null) throw why;
    return await this.#askStandbys(task, query, why);
  }

  async #askStandbys<T>(
    task: TaskId,
    query: RoutedQuery<T>,
    why: unknown,
  ): Promise<ReadHere<T> | HostAnswer> {
    if (this.app.storeOf(task, query.store)?.state === "standby") {
      try {
        return this.#read(task, query);
      } catch (error) {
        if (query.isForwarded || !isUnavailable(error)) throw error;
        why = error;
      }
    }
    if (!query.isForwarded) {
      for (const host of this.#others(({ standby }) => standby.includes(task))) {
        try {
          const answer = await this.link.ask(host.endpoint, query.path, [task]);
          if (answer.status !== 503) return answer;
        } catch (error) {
          why = error;
        }
      }
    }
    throw why;
  }

  /** Reads the store of several tasks, by as few requests as there are members with some of them. */
  async askAll<T>(tasks: readonly TaskId[], query: RoutedQuery<T>): Promise<RoutedScan<T>> {
    const here = new Map<TaskId, ReadHere<T>>();
    const elsewhere = new Map<string, TaskId[]>();
    const single: TaskId[] = [];
    for (const task of tasks) {
      const state = this.app.storeOf(task, query.store)?.state;
      const owner = this.#others(({ active }) => active.includes(task))[0];
      if (query.isForwarded || state === "running" || state === "restoring") {
        here.set(task, this.#read(task, query));
      } else if (owner === undefined) single.push(task);
      else elsewhere.set(owner.endpoint, [...elsewhere.get(owner.endpoint) ?? [], task]);
    }
    const answers: HostAnswer[] = [];
    await Promise.all([...elsewhere].map(async ([endpoint, ofIt]) => {
      try {
        const answer = await this.link.ask(endpoint, query.path, ofIt);
        if (answer.status !== 503 || query.staleness === null) answers.push(answer);
        else single.push(...ofIt);
      } catch (error) {
        if (query.staleness === null) throw error;
        single.push(...ofIt);
      }
    }));
    for (const task of single) {
      if (query.staleness === null) throw this.#nowhere(task);
      const answer = await this.#askStandbys(task, query, notHere([task]));
      if ("status" in answer) answers.push(answer);
      else here.set(task, answer);
    }
    return { here, answers };
  }

  #read<T>(task: TaskId, { store: name, staleness, read }: RoutedQuery<T>): ReadHere<T> {
    const here = this.app.storeOf(task, name);
    if (here === null) throw notHere([task]);
    const { state, store, lag } = here;
    if (state === "running" && store !== null) return { value: read(store), stale: null };
    if (staleness === null && state === "standby") throw notHere([task]);
    if (staleness === null || store === null) throw this.#restoring(task);
    if ((lag ?? Infinity) > staleness.lagMax) {
      const behind = lag === null ? "unknown" : `${lag} records`;
      throw new QueryError(503, `what is here of task ${task} is behind: ${behind}`, { task, lag });
    }
    return { value: read(store), stale: { lag } };
  }

  #restoring(task: TaskId): QueryError {
    const [subtopology = "", partition = ""] = task.split("_");
    const planned = this.app.plan?.subtopologies.find(({ subtopology: { id } }) =>
      String(id) === subtopology
    );
    const own = new Set(planned?.changelogs.values() ?? []);
    const restoring = this.app.status().restoring.filter((each) =>
      own.has(each.topic) && String(each.partition) === partition
    );
    const left = restoring.reduce((sum, each) => sum + each.left, 0);
    const message = `task ${task} is being restored: ${left} records are left`;
    return new QueryError(503, message, { task, restoring });
  }

  /** Nobody can be asked for the task; two members that say the same address are not to be told apart. */
  #nowhere(task: TaskId): QueryError {
    const { endpoint, hosts } = this.app;
    const isMixedUp = endpoint !== null &&
      hosts.filter((host) => host.endpoint === endpoint).length > 1;
    if (!isMixedUp) return notHere([task]);
    const message = `another member says that it is asked at ${endpoint}, as this one does: ` +
      "give each an address of its own with --queries-advertise";
    return new QueryError(503, message, { tasks: [task] });
  }

  #others(has: (host: QueryableHost) => boolean): QueryableHost[] {
    return this.app.hosts.filter((host) => host.endpoint !== this.app.endpoint && has(host));
  }
}

function notHere(tasks: readonly TaskId[]): QueryError {
  const message = `no member that can be asked has task ${tasks.join(", ")} now: ask again`;
  return new QueryError(503, message, { tasks });
}

function isUnavailable(error: unknown): boolean {
  return error instanceof QueryError && error.status === 503;
}
