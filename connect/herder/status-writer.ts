/** Tells the status topic what becomes of the connectors and tasks of this worker. */
import { type Deferred, deferred } from "../../core/deferred.ts";
import { type Clock, sleep } from "../../core/io.ts";
import type { Status, TaskId } from "../worker/status.ts";
import type { StatusEntry, StatusRecord } from "./status-records.ts";
import type { StatusStore } from "./status-store.ts";

export interface StatusWriterOptions {
  readonly store: StatusStore;
  readonly clock: Clock;
  readonly workerId: string;
  readonly generation: () => number;
  /** Of the module of a connector; null: it is not known. */
  readonly versionOf: (connector: string) => string | null;
}

/** Before what cannot be written is tried again. */
const RETRY_MS = 1000;

/** What is said, without who says it. */
type Said = Omit<Status, "workerId">;

/** See the head of the file. Only the latest of what waits is written for each of them. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #waiting = new Map<string, StatusRecord>();
  #writing: Deferred<void> | null = null;
  #isClosing = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  connector(name: string, said: Said): void {
    const before = this.#options.store.connector(name);
    if (!this.#maySay(said, before)) return;
    const status = this.#entry(name, said);
    this.#write(`c:${name}`, { type: "connector", name, status });
  }

  task(id: TaskId, said: Said): void {
    if (!this.#maySay(said, this.#options.store.task(id))) return;
    const status = this.#entry(id.connector, said);
    this.#write(`t:${id.connector}:${id.task}`, { type: "task", id, status });
  }

  topic(connector: string, topic: string, task: number): void {
    if (this.#options.store.topics(connector).some((use) => use.topic === topic)) return;
    const use = { topic, connector, task, discoveredMs: this.#options.clock.wallMs() };
    this.#write(`u:${topic}:${connector}`, { type: "topic", topic, connector, use });
  }

  /** As leader: says of the work of others what they cannot say themselves; null: that it is gone. */
  record(record: StatusRecord): void {
    const key = record.type === "connector"
      ? `c:${record.name}`
      : record.type === "task"
      ? `t:${record.id.connector}:${record.id.task}`
      : `u:${record.topic}:${record.connector}`;
    this.#write(key, record);
  }

  /** Resolves when all is written that was said, or cannot be; nothing is tried again any more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#writing?.promise;
  }

  #entry(connector: string, { state, trace }: Said): StatusEntry {
    const { workerId, generation, versionOf } = this.#options;
    return { state, trace, workerId, generation: generation(), version: versionOf(connector) };
  }

  /** That something has ended, or failed, counts only as long as nobody else has it. */
  #maySay({ state }: Said, before: StatusEntry | null): boolean {
    if (state !== "UNASSIGNED" && state !== "FAILED") return true;
    const { store, workerId, generation } = this.#options;
    return store.isCurrent(before, workerId, generation());
  }

  #write(key: string, record: StatusRecord): void {
    // To the end of those that wait: what was said last is written last.
    this.#waiting.delete(key);
    this.#waiting.set(key, record);
    if (this.#writing !== null) return;
    const writing = deferred<void>();
    this.#writing = writing;
    void this.#drain().then(() => {
      this.#writing = null;
      writing.resolve();
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.size > 0) {
      const records = new Map(this.#waiting);
      this.#waiting.clear();
      if (await this.#options.store.write([...records.values()]) || this.#isClosing) continue;
      // Else it would say for ever what was true before the brokers were away.
      for (const [key, record] of records) {
        if (!this.#waiting.has(key)) this.#waiting.set(key, record);
      }
      await sleep(this.#options.clock, RETRY_MS);
    }
  }
}
