/**
 * Offsets in the compacted topic of a group of workers, in Connect's own records: the key is JSON of
 * `["connector", {partition}]`, the value JSON of the offset, or null (`KafkaOffsetBackingStore`).
 */
import type { Logger } from "../../core/logger.ts";
import { isSourceMap } from "../data/record.ts";
import type { SourceMap } from "../data/record.ts";
import type { LogEntry, LogRecord, RecordLog } from "../log/record-log.ts";
import { partitionText } from "./offset-store.ts";
import type { OffsetStore, StoredOffset, TransactionalOffsets } from "./offset-store.ts";
import { OffsetTable } from "./offset-table.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** See the head of the file. `start` it, and `close` it. */
export class TopicOffsetStore implements OffsetStore {
  readonly transactional: TransactionalOffsets;
  readonly #table = new OffsetTable();
  /**
   * Keys as they stand in the topic. JSON of a map may have its fields in any order, and compaction
   * knows bytes only: what somebody else has written is overwritten by its own key.
   */
  readonly #keys = new Map<string, Uint8Array>();

  constructor(readonly log: RecordLog, topic: string, readonly logger: Logger) {
    this.transactional = {
      topic,
      entries: (connector, offsets) => this.#entries(connector, offsets),
    };
  }

  /** Reads all that there is. Throws what keeps it from that. */
  async start(): Promise<void> {
    await this.log.start((record) => this.#hear(record));
  }

  /**
   * What was committed may lie behind what another task has not committed yet, or before markers that are
   * still to be written: a source that did not wait for these would read again what is in its topic.
   */
  async get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    await this.log.readToEnd(undefined, "written");
    return partitions.map((partition) => this.#table.get(connector, partition));
  }

  async list(connector: string): Promise<StoredOffset[]> {
    await this.log.readToEnd();
    return this.#table.list(connector);
  }

  async set(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    await this.log.write(this.#entries(connector, offsets));
  }

  async close(): Promise<void> {
    await this.log.close();
  }

  #entries(connector: string, offsets: readonly StoredOffset[]): LogEntry[] {
    return offsets.map(({ partition, offset }) => ({
      key: this.#keys.get(nameOf(connector, partition)) ??
        encoder.encode(JSON.stringify([connector, partition])),
      value: offset === null ? null : encoder.encode(JSON.stringify(offset)),
    }));
  }

  #hear({ key, value, offset: at }: LogRecord): void {
    const parsed = parseKey(key);
    const offset = value === null ? null : parseMap(value);
    if (key === null || parsed === null || (value !== null && offset === null)) {
      this.logger.warn("a record of the offset topic is left out", { offset: at });
      return;
    }
    const { connector, partition } = parsed;
    const name = nameOf(connector, partition);
    if (offset === null) this.#keys.delete(name);
    else this.#keys.set(name, key.slice());
    this.#table.set(connector, { partition, offset });
  }
}

function nameOf(connector: string, partition: SourceMap): string {
  return JSON.stringify([connector, partitionText(partition)]);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

function parseMap(bytes: Uint8Array): SourceMap | null {
  const parsed = parseJson(bytes);
  return isSourceMap(parsed) ? parsed : null;
}

function parseKey(
  bytes: Uint8Array | null,
): { readonly connector: string; readonly partition: SourceMap } | null {
  const parsed = bytes === null ? undefined : parseJson(bytes);
  if (!Array.isArray(parsed) || parsed.length !== 2) return null;
  const [connector, partition]: unknown[] = parsed;
  return typeof connector === "string" && isSourceMap(partition) ? { connector, partition } : null;
}
