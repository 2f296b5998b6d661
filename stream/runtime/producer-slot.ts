/** The producer that a member has now: one that is of no use any more makes room for another. */
import { isRetriableError, TimeoutError } from "../../client/errors.ts";
import type { ClientIo } from "../../client/options.ts";
import { asError } from "../../core/as-error.ts";
import { Backoff } from "../../core/backoff.ts";
import { sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import type { StreamsProducer } from "./streams-producer.ts";

const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;

/** See the head of the file. */
export class ProducerSlot {
  #current: StreamsProducer | null = null;
  #isGivenUp = false;
  #sentBefore = 0;

  constructor(
    private readonly io: ClientIo,
    private readonly logger: Logger,
    /** One that fences the one before it. */
    private readonly make: () => StreamsProducer,
    /** Ends waiting for one. */
    private readonly stopping: AbortSignal,
  ) {}

  get current(): StreamsProducer {
    return this.#current!;
  }

  get isThere(): boolean {
    return this.#current !== null;
  }

  /** How many records were sent by all that were here. */
  get sent(): number {
    return this.#sentBefore + (this.#current?.output.sent ?? 0);
  }

  /** It is of no use any more: `renew` is to follow. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Has nothing written any more, at once, whatever waits for it. */
  giveUp(): void {
    if (this.#current === null || this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#current.kill(new Error("the producer is given up"));
  }

  /**
   * Makes one; the first time it throws what is in the way, later it tries again until it goes. Where the
   * member is to end there may be none.
   */
  async renew(): Promise<void> {
    const pauses = new Backoff(this.io.random, FIRST_PAUSE_MS, PAUSE_MAX_MS);
    const before = this.#current;
    this.#isGivenUp = before !== null;
    before?.kill(new Error("the producer is replaced"));
    for (let isTold = false;; isTold = true) {
      const producer = this.make();
      try {
        // A broker that does not answer is waited for long.
        await nullIfAborted(producer.start(), this.stopping);
        if (this.stopping.aborted) return producer.kill(new Error("the member ends"));
        this.#sentBefore = this.sent;
        this.#current = producer;
        this.#isGivenUp = false;
        return;
      } catch (error) {
        producer.kill(asError(error));
        const isPassing = isRetriableError(error) || error instanceof TimeoutError;
        // At the beginning somebody looks on, who can do something.
        if (!isPassing || before === null) throw error;
        if (!isTold) this.logger.warn("no producer yet", { error: asError(error).message });
        await nullIfAborted(sleep(this.io.clock, pauses.nextMs()), this.stopping);
        if (this.stopping.aborted) return;
      }
    }
  }

  /** Gets rid of what is not committed, where that can be: with a new producer, if need be. */
  async abort(): Promise<void> {
    try {
      await this.current.abort();
    } catch (error) {
      this.logger.warn("the producer is replaced", { error: asError(error).message });
      await this.renew();
    }
  }

  async close(): Promise<void> {
    await this.#current?.close();
  }
}
