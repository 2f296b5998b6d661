/** What `consume --group` commits: only what standard output has taken. */
import type { Consumer, PartitionPosition } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import type { TopicPartition } from "../../client/group-protocol.ts";
import { Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";

const COMMIT_EVERY_MS = 1000;

/** The group has gone on: its other members read what is not committed. */
const REBALANCED: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.FENCED_INSTANCE_ID,
]);

/** `orders/3`: a topic's name has no slash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** See the head of the file. */
export class Commits {
  /** Behind the last record that standard output has taken. */
  readonly #taken = new Map<string, PartitionPosition>();
  readonly #committed = new Map<string, bigint>();
  #running: Promise<void> = Promise.resolve();
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

  /** Commits, one request at a time. Throws errors of the client. */
  now(): Promise<void> {
    const last = this.#running.catch(() => {});
    return this.#running = last.then(() => this.#commit());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #commit(): Promise<void> {
    const news = [...this.#taken].filter(([key, { offset }]) =>
      this.#committed.get(key) !== offset
    );
    if (news.length === 0) return;
    try {
      await this.consumer.commit(news.map(([, position]) => position));
      for (const [key, { offset }] of news) this.#committed.set(key, offset);
    } catch (error) {
      if (!(error instanceof KafkaError) || !REBALANCED.has(error.code)) throw error;
      this.say(`kstream: ${error.message}: records since the last commit will be read again`);
    }
  }
}
