/** Topics that match `--topics` and come while it is read; a group follows them by itself. */
import type { Cluster, TopicMetadata } from "../../client/cluster.ts";
import { ConnectionError, KafkaError, TimeoutError } from "../../client/errors.ts";
import type { Timer } from "../../core/io.ts";
import type { OffsetRange } from "../../core/text/offset-range.ts";
import { matchingTopics } from "./topics.ts";

/** How often it is asked what topics there are. */
export const LOOK_EVERY_MS = 2000;

/** See the head of the file. */
export class LateTopics {
  readonly #known: Set<string>;
  #timer: Timer | null = null;
  #stopped = false;

  /** `came` gets the new ones, each again until it does not fail; `failed` gets what is no passing trouble. */
  constructor(
    readonly cluster: Cluster,
    readonly pattern: string,
    known: readonly TopicMetadata[],
    readonly came: (topic: TopicMetadata) => Promise<void>,
    readonly failed: (error: unknown) => void,
  ) {
    this.#known = new Set(known.map(({ name }) => name));
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.cluster.io.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#look().then(() => this.#stopped || this.#wait(), this.failed);
    });
  }

  async #look(): Promise<void> {
    try {
      for (const topic of await matchingTopics(this.cluster, this.pattern) ?? []) {
        if (this.#known.has(topic.name) || this.#stopped) continue;
        await this.came(topic);
        this.#known.add(topic.name);
      }
    } catch (error) {
      // Whoever reads says what is wrong with the cluster; it is asked again.
      const isPassing = error instanceof ConnectionError || error instanceof TimeoutError ||
        error instanceof KafkaError;
      if (!isPassing && !this.#stopped) throw error;
    }
  }
}

/** A topic that was not there has nothing before the place that was asked for: all of it is new. */
export function lateRange({ from, until }: OffsetRange): OffsetRange {
  const isPlace = from.kind === "start" || from.kind === "offset";
  return { from: isPlace ? from : { kind: "start", plus: 0n }, until };
}
