/** What connectors and tasks of the whole group are doing, by the status topic. */
import type { Logger } from "../../core/logger.ts";
import type { LogRecord, RecordLog } from "../log/record-log.ts";
import type { TaskId } from "../worker/status.ts";
import {
  decodeStatusRecord,
  encodeStatusRecord,
  type StatusEntry,
  type StatusRecord,
  type TopicUse,
} from "./status-records.ts";

interface Known {
  connector: StatusEntry | null;
  readonly tasks: Map<number, StatusEntry>;
  readonly topics: Map<string, TopicUse>;
}

const NOTHING: Known = { connector: null, tasks: new Map(), topics: new Map() };

/** See the head of the file. `close` it. */
export class StatusStore {
  readonly #known = new Map<string, Known>();

  constructor(private readonly log: RecordLog, private readonly logger: Logger) {}

  /** Reads all that there is. Throws what keeps it from that. */
  async start(): Promise<void> {
    await this.log.start((record) => this.#hear(record));
  }

  readToEnd(signal?: AbortSignal): Promise<void> {
    return this.log.readToEnd(signal);
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  /** Of a connector itself. */
  connector(name: string): StatusEntry | null {
    return this.#of(name).connector;
  }

  /** Of its tasks, by number. */
  tasks(connector: string): readonly (readonly [task: number, status: StatusEntry])[] {
    return [...this.#of(connector).tasks].sort(([a], [b]) => a - b);
  }

  task({ connector, task }: TaskId): StatusEntry | null {
    return this.#of(connector).tasks.get(task) ?? null;
  }

  /** Topics that its tasks have used since they were last forgotten. */
  topics(connector: string): readonly TopicUse[] {
    return [...this.#of(connector).topics.values()];
  }

  /** Names of all of which anything is known. */
  get connectors(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** Writes it, if it can be written at all; whether it was. Never rejects. */
  async write(records: readonly StatusRecord[]): Promise<boolean> {
    if (records.length === 0) return true;
    try {
      await this.log.write(records.map(encodeStatusRecord));
      return true;
    } catch (error) {
      this.logger.error("a status cannot be written", { why: String(error) });
      return false;
    }
  }

  /**
   * Whether a worker may say so: not if another one has said something since in a later generation of
   * the group (`putSafe` of Connect): a task that ends late must not hide that it runs elsewhere.
   */
  isCurrent(before: StatusEntry | null, workerId: string, generation: number): boolean {
    return before === null || before.workerId === workerId || before.generation <= generation;
  }

  #of(connector: string): Known {
    return this.#known.get(connector) ?? NOTHING;
  }

  #hear(heard: LogRecord): void {
    const record = decodeStatusRecord(heard);
    if (record === null) {
      this.logger.warn("a record of the status topic is left out", { offset: heard.offset });
      return;
    }
    const name = record.type === "connector"
      ? record.name
      : record.type === "task"
      ? record.id.connector
      : record.connector;
    const known = this.#known.get(name) ?? { connector: null, tasks: new Map(), topics: new Map() };
    apply(known, record);
    const isEmpty = known.connector === null && known.tasks.size + known.topics.size === 0;
    if (isEmpty) this.#known.delete(name);
    else this.#known.set(name, known);
  }
}

function apply(known: Known, record: StatusRecord): void {
  switch (record.type) {
    case "connector":
      known.connector = record.status;
      return;
    case "task":
      if (record.status === null) known.tasks.delete(record.id.task);
      else known.tasks.set(record.id.task, record.status);
      return;
    case "topic":
      if (record.use === null) known.topics.delete(record.topic);
      else known.topics.set(record.topic, record.use);
      return;
    default:
      record satisfies never;
  }
}
