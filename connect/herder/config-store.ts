/** The config topic as a worker has it: what it says now, who hears of changes, and how it is written. */
import type { Logger } from "../../core/logger.ts";
import type { LogRecord, RecordLog } from "../log/record-log.ts";
import { type ConfigRecord, decodeConfigRecord, encodeConfigRecord } from "./config-records.ts";
import { ConfigState } from "./config-state.ts";

/** Hears what has changed since the store began. Nothing is thrown. */
export interface ConfigListener {
  /** Another record than those of `record` has changed what the state says of the connector. */
  changed(connector: string): void;
  /** A restart, a session key or a level of logging. */
  record(record: ConfigRecord): void;
}

/** See the head of the file. `close` it. */
export class ConfigStore {
  readonly state = new ConfigState();
  #listener: ConfigListener | null = null;

  constructor(private readonly log: RecordLog, private readonly logger: Logger) {}

  /** Reads all that there is, of which the listener hears nothing. Throws what keeps it from that. */
  async start(listener: ConfigListener): Promise<void> {
    await this.log.start((record) => this.#hear(record));
    this.#listener = listener;
  }

  /** Resolves when the state has all that had been written when this was called. */
  readToEnd(signal?: AbortSignal): Promise<void> {
    return this.log.readToEnd(signal);
  }

  /** Writes them, and resolves when the state has them too. */
  async write(records: readonly ConfigRecord[]): Promise<void> {
    await this.log.write(records.map(encodeConfigRecord));
    await this.log.readToEnd();
  }

  /** As `write`, for what only the leader writes; all or nothing where the log can do that. */
  async writeAsLeader(records: readonly ConfigRecord[]): Promise<void> {
    await this.log.writeAsOwner(records.map(encodeConfigRecord));
    await this.log.readToEnd();
  }

  /** This worker leads from now on. */
  async claim(): Promise<void> {
    await this.log.claim();
  }

  async close(): Promise<void> {
    this.#listener = null;
    await this.log.close();
  }

  #hear(heard: LogRecord): void {
    const record = decodeConfigRecord(heard);
    if (record === null) {
      this.logger.warn("a record of the config topic is left out", { offset: heard.offset });
      return;
    }
    const connector = this.state.apply(record, heard.offset);
    if (connector !== null) this.#listener?.changed(connector);
    else this.#listener?.record(record);
  }
}
