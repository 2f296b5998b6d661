import { ConnectionError, KafkaError, TimeoutError } from "../../client/errors.ts";
import type { BatchReport } from "../../client/producer.ts";

/** How many different reasons of failure are printed. */
const REASONS_MAX = 5;

/** What has become of the records that were given to the producer. */
export class Delivery {
  acknowledged = 0;
  failed = 0;
  /** Acknowledged in the topic of dead letters. */
  deadLetters = 0;
  /** Whether no broker answered any more. */
  unreachable = false;
  /** In a transaction records count once it is committed. */
  #uncommitted = 0;
  readonly #reasons = new Set<string>();
  readonly #giveUp = new AbortController();

  constructor(
    /** The topic that is written; others are those of dead letters and of positions. */
    readonly topic: string,
    readonly deadLetterTopic: string | null,
    readonly transactional: boolean,
    readonly say: (line: string) => void,
  ) {}

  /** Aborted when reading on would only lose more. */
  get giveUp(): AbortSignal {
    return this.#giveUp.signal;
  }

  /** Takes the producer's word for a batch. */
  count({ topic, recordCount, error }: BatchReport): void {
    if (error !== null) this.#fail(topic, recordCount, error);
    else if (topic === this.deadLetterTopic) this.deadLetters += recordCount;
    else if (topic !== this.topic) return;
    else if (this.transactional) this.#uncommitted += recordCount;
    else this.acknowledged += recordCount;
  }

  /** What was acknowledged since the last commit is committed. */
  committed(): void {
    this.acknowledged += this.#uncommitted;
    this.#uncommitted = 0;
  }

  /** Prints why something failed, once for each reason; `place`: which record it was. */
  explain(message: string, place: string | null = null): void {
    if (this.#reasons.has(message) || this.#reasons.size >= REASONS_MAX) return;
    this.#reasons.add(message);
    this.say(place === null ? `kstream: ${message}` : `kstream: ${place}: ${message}`);
  }

  #fail(topic: string, recordCount: number, error: Error): void {
    if (this.transactional) {
      // Nothing of the transaction counts; whoever commits it says why.
      this.#giveUp.abort(error);
      return;
    }
    this.failed += recordCount;
    if (error instanceof TimeoutError || error instanceof ConnectionError) {
      this.unreachable = true;
      this.#giveUp.abort(error);
    } else if (!(error instanceof KafkaError) || topic === this.deadLetterTopic) {
      this.#giveUp.abort(error);
    }
    this.explain(error.message);
  }
}
