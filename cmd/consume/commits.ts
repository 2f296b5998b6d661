/** What `consume --group` commits: only what standard output has taken. */
import type { Consumer, PartitionPosition } from "../../client/consumer.ts";
import { isTooLate } from "../../client/consumer/auto-commit.ts";
import type { TopicPartition } from "../../client/group-protocol.ts";
import type { Clock, Timer } from "../../core/io.ts";

const COMMIT_EVERY_MS = 1000;
/** So many partitions are named in the line about what was committed. */
const NAMED_MAX = 5;

/** `orders/3`: a topic's name has no slash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** See the head of the file. */
export class Commits {
  /** Behind the last record that standard output has taken. */
  readonly #taken = new Map<string, PartitionPosition>();
  readonly #committed = new Map<string, bigint>();
  #running: Promise<unknown> = Promise.resolve();
  #timer: Timer | null = null;

  constructor(
    readonly consumer: Consumer,
    readonly clock: Clock,
    /** Told why a commit in the background could not be made. */
    readonly failed: (error: unknown) => void,
    readonly say: (line: string) => void,
  ) {}

  /** The partition is read from here, which is what its group has committed. */
  begin(position: PartitionPosition): void {
    this.#committed.set(partitionKey(position), position.offset);
  }

  /** Standard output has taken everything before the position. */
  taken(position: PartitionPosition): void {
    this.#taken.set(partitionKey(position), position);
    this.#timer ??= this.clock.setTimer(COMMIT_EVERY_MS, () => {
      this.#timer = null;
      this.now().catch(this.failed);
    });
  }

  /** The partitions are others' now. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      this.#taken.delete(partitionKey(partition));
      this.#committed.delete(partitionKey(partition));
    }
  }

  /**
   * Commits, one request at a time. False, which it has said, if the group has gone on without this
   * member, so that others read the records again. Throws errors of the client.
   */
  now(): Promise<boolean> {
    const last = this.#running.catch(() => {});
    const mine = last.then(() => this.#commit());
    this.#running = mine;
    return mine;
  }

  /** The partitions that were read, and how far: `orders-0 to 42, orders-1 to 17`. */
  summary(): string {
    const all = [...this.#taken.values()];
    const named = all.slice(0, NAMED_MAX).map(({ topic, partition, offset }) => {
      return `${topic}-${partition} to ${offset}`;
    });
    const more = all.length - named.length;
    return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #commit(): Promise<boolean> {
    const news = [...this.#taken].filter(([key, { offset }]) =>
      this.#committed.get(key) !== offset
    );
    if (news.length === 0) return true;
    try {
      await this.consumer.commit(news.map(([, position]) => position));
    } catch (error) {
      if (!isTooLate(error) || !(error instanceof Error)) throw error;
      this.say(`kstream: ${error.message}: records since the last commit will be read again`);
      return false;
    }
    for (const [key, { offset }] of news) {
      // Meanwhile it may have been given up.
      if (this.#taken.has(key)) this.#committed.set(key, offset);
    }
    return true;
  }
}
