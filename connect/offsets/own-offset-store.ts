/**
 * Offsets of a connector that has a topic of its own for them (KIP-618), besides the worker's: its own
 * count, and what it lacks is looked up in the worker's, so that a connector may be given a topic and
 * may be relieved of it (Connect's `ConnectorOffsetBackingStore`).
 *
 *     what is forgotten ─▶ worker's, ─▶ all ─▶ its own, ─▶ the others ─▶ worker's, if that works
 *
 * So an offset of the worker's is never newer than its own, nor comes to light behind one forgotten.
 */
import type { Logger } from "../../core/logger.ts";
import type { SourceMap } from "../data/record.ts";
import { messageOf } from "../runtime/error-policy.ts";
import { partitionText } from "./offset-store.ts";
import type { OffsetStore, StoredOffset, TransactionalOffsets } from "./offset-store.ts";

/** See the head of the file. `close` leaves the worker's open. */
export class OwnOffsetStore implements OffsetStore {
  readonly transactional: TransactionalOffsets | null;
  /** What the worker's does not have yet: of each partition the last, as nobody waits for it. */
  readonly #late = new Map<string, StoredOffset>();
  #following: Promise<void> | null = null;

  constructor(
    private readonly own: OffsetStore,
    private readonly workers: OffsetStore,
    private readonly log: Logger,
  ) {
    const { transactional } = own;
    this.transactional = transactional === null ? null : {
      topic: transactional.topic,
      entries: (connector, offsets) => transactional.entries(connector, offsets),
      before: (connector, offsets) => this.#forget(connector, offsets),
      after: (connector, offsets) => this.#follow(connector, offsets),
    };
  }

  async get(connector: string, partitions: readonly SourceMap[]): Promise<(SourceMap | null)[]> {
    const own = await this.own.get(connector, partitions);
    if (!own.includes(null)) return own;
    const workers = await this.workers.get(connector, partitions);
    return own.map((offset, i) => offset ?? workers[i] ?? null);
  }

  async list(connector: string): Promise<StoredOffset[]> {
    const both = [...await this.workers.list(connector), ...await this.own.list(connector)];
    return [...new Map(both.map((each) => [partitionText(each.partition), each])).values()];
  }

  async set(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    await this.#forget(connector, offsets);
    await this.own.set(connector, offsets);
    this.#follow(connector, offsets);
  }

  async close(): Promise<void> {
    await this.#following;
    await this.own.close();
  }

  async #forget(connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    const forgotten = offsets.filter(({ offset }) => offset === null);
    if (forgotten.length === 0) return;
    // What is known of before must not come behind it.
    await this.#following;
    await this.workers.set(connector, forgotten);
  }

  #follow(connector: string, offsets: readonly StoredOffset[]): void {
    for (const each of offsets) {
      if (each.offset !== null) this.#late.set(partitionText(each.partition), each);
    }
    this.#following ??= this.#catchUp(connector).finally(() => this.#following = null);
  }

  async #catchUp(connector: string): Promise<void> {
    while (this.#late.size > 0) {
      const late = [...this.#late.values()];
      this.#late.clear();
      try {
        await this.workers.set(connector, late);
      } catch (error) {
        const why = messageOf(error);
        this.log.warn("offsets are in the connector's topic, not in the worker's", {
          connector,
          why,
        });
      }
    }
  }
}
