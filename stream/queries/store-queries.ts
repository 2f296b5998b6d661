/** Queries of an application's stores: what they mean, and the JSON that answers them. */
import type { Clock } from "../../core/io.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import type { TaskId } from "../assignor/index.ts";
import { internalName } from "../runtime/topic-plan.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import { storedKeysOf } from "../stores/open-store.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { HostAnswer, HostLink } from "./ask-host.ts";
import { keyBytesOf } from "./key-forms.ts";
import { pageJson, parseParts, partsJson, staleFacts } from "./page-parts.ts";
import type { StoreList } from "./store-list.ts";
import { parseParameters, type QueryParameters } from "./parameters.ts";
import type { QueriedApp } from "./queried-app.ts";
import { QueryError } from "./query-error.ts";
import { type PageQuery, readKey, readPage } from "./store-reads.ts";
import { type ReadHere, TaskRouter } from "./task-router.ts";

/** A request, as far as queries see it. */
export interface StoreRequest {
  readonly store: string;
  readonly search: URLSearchParams;
  /** Path and parameters. */
  readonly path: string;
  /** Another member asks, for these alone; null: a user. */
  readonly tasks: readonly TaskId[] | null;
}

interface Known {
  readonly spec: StoreSpec;
  /** For serdes: the changelog. */
  readonly topic: string;
  /** One for each partition; null: a global table. */
  readonly tasks: readonly TaskId[] | null;
}

/** See the head of the file. All throw `QueryError`. */
export class StoreQueries {
  readonly #router: TaskRouter;

  constructor(
    private readonly app: QueriedApp,
    link: HostLink,
    private readonly clock: Clock,
  ) {
    this.#router = new TaskRouter(app, link);
  }

  /** What stores there are, and who has what. */
  list(): string {
    const { app } = this;
    const { running, opening, standby, restoring } = app.status();
    const stores = [...app.topology.stores.values()].map((spec) => {
      const { tasks } = this.#known(spec.name);
      const own = (ids: readonly TaskId[]) => ids.filter((id) => tasks?.includes(id) ?? false);
      return {
        name: spec.name,
        kind: spec.kind,
        keys: spec.keySerde.name ?? null,
        values: spec.valueSerde.name ?? null,
        isGlobal: tasks === null,
        partitions: tasks?.length ?? null,
        here: { running: own(running), restoring: own(opening), standby: own(standby) },
      };
    });
    const { applicationId: application, endpoint, hosts: members } = app;
    const list: StoreList = { application, endpoint, stores, restoring, members };
    return JSON.stringify(list);
  }

  /** A key's value, or of a store of windows a page of its windows. */
  async key(request: StoreRequest, text: string): Promise<HostAnswer> {
    const known = this.#known(request.store);
    const { spec, topic, tasks } = known;
    const areWindows = storedKeysOf(spec) !== null;
    const parameters = parseParameters(request.search, areWindows);
    requireNone(request, areWindows ? TIMES : [...PAGES, ...TIMES], "of pages of keys");
    const bytes = keyBytesOf(text, spec.keySerde, topic);
    const page: PageQuery = { ...parameters, key: bytes, from: null, to: null };
    if (areWindows) {
      const all = tasks === null ? null : [taskOf(tasks, bytes, parameters)];
      return await this.#page(known, all, page, parameters, request);
    }
    const key = spec.keySerde.deserialize(bytes, topic);
    const read = (store: AnyStore) => readKey(store, spec, key, parameters.asOfMs);
    const answer = tasks === null
      ? { value: read(this.#global(spec.name)), stale: null }
      : await this.#router.ask(taskOf(tasks, bytes, parameters), {
        ...routed(request, parameters),
        read,
      });
    return "status" in answer ? answer : keyAnswer(answer, text);
  }

  /** A page of all keys, in the order of their bytes. */
  async range(request: StoreRequest): Promise<HostAnswer> {
    const known = this.#known(request.store);
    const { spec, topic, tasks } = known;
    const parameters = parseParameters(request.search, false);
    if (storedKeysOf(spec) === null) requireNone(request, TIMES, "of stores of windows");
    const [from, to] = [parameters.from, parameters.to].map((text) =>
      text === null ? null : keyBytesOf(text, spec.keySerde, topic)
    );
    const page: PageQuery = { ...parameters, key: null, from: from ?? null, to: to ?? null };
    const { partition } = parameters;
    const wanted = partition === null || tasks === null ? tasks : [taskAt(tasks, partition)];
    return await this.#page(known, wanted, page, parameters, request);
  }

  async #page(
    { spec, tasks }: Known,
    wanted: readonly TaskId[] | null,
    page: PageQuery,
    parameters: QueryParameters,
    request: StoreRequest,
  ): Promise<HostAnswer> {
    if (parameters.asOfMs !== null) {
      throw new QueryError(400, `"asof" is of single keys of versioned stores`);
    }
    const read = (store: AnyStore) => readPage(store, spec, page, this.clock);
    if (wanted === null || tasks === null) {
      const value = read(this.#global(spec.name));
      return { status: 200, body: pageJson([{ value, stale: null }], page.limit) };
    }
    const own = request.tasks?.filter((task) => tasks.includes(task)) ?? wanted;
    const { here, answers } = await this.#router.askAll(own, {
      ...routed(request, parameters),
      read,
    });
    const refusal = answers.find(({ status }) => status !== 200);
    if (refusal !== undefined) return refusal;
    if (request.tasks !== null) return { status: 200, body: partsJson([...here.values()]) };
    const parts = [...here.values(), ...answers.flatMap(({ body }) => parseParts(body))];
    return { status: 200, body: pageJson(parts, page.limit) };
  }

  #global(name: string): AnyStore {
    const store = this.app.globalStore(name);
    if (store === null) throw new QueryError(503, "global tables are being filled: ask again");
    return store;
  }

  #known(name: string): Known {
    const { topology, applicationId, plan } = this.app;
    const spec = topology.stores.get(name);
    if (spec === undefined) throw new QueryError(404, `there is no store "${name}"`);
    const topic = internalName(applicationId, `${name}-changelog`);
    if (topology.globalStores.has(name)) return { spec, topic, tasks: null };
    if (plan === null) throw new QueryError(503, "the application is starting: ask again");
    const of = plan.subtopologies.find(({ subtopology }) => subtopology.stores.includes(name));
    const { id } = of?.subtopology ?? { id: -1 };
    const tasks = Array.from({ length: of?.tasks ?? 0 }, (_, partition) => `${id}_${partition}`);
    return { spec, topic, tasks };
  }
}

const TIMES = ["fromTime", "toTime"];
const PAGES = ["from", "to", "limit", "at"];

/** What would not be heeded is refused. */
function requireNone({ search }: StoreRequest, names: readonly string[], of: string): void {
  const name = names.find((each) => search.has(each));
  if (name !== undefined) throw new QueryError(400, `"${name}" is ${of}`);
}

function routed({ store, path, tasks }: StoreRequest, { staleness }: QueryParameters) {
  return { store, path, staleness, isForwarded: tasks !== null };
}

/** Who has a key: as the default partitioner of producers has it. */
function taskOf(
  tasks: readonly TaskId[],
  key: Uint8Array,
  { partition }: QueryParameters,
): TaskId {
  return taskAt(tasks, partition ?? partitionOfKey(tasks.length, key));
}

function taskAt(tasks: readonly TaskId[], partition: number): TaskId {
  const task = tasks[partition];
  if (task !== undefined) return task;
  throw new QueryError(400, `the store has partitions 0 to ${tasks.length - 1}`);
}

function keyAnswer({ value, stale }: ReadHere<string | null>, text: string): HostAnswer {
  const facts = staleFacts([{ stale }]);
  if (value === null) {
    const body = JSON.stringify({
      error: `the store has no key ${JSON.stringify(text)}`,
      ...facts,
    });
    return { status: 404, body };
  }
  const behind = JSON.stringify(facts).slice(1, -1);
  return { status: 200, body: behind === "" ? value : `${value.slice(0, -1)},${behind}}` };
}
