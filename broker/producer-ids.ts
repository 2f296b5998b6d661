import type { Outcome } from "./outcome.ts";
import { accept } from "./outcome.ts";
import type { ProducerIdBlock } from "./metadata-changes.ts";

/** Where blocks of producer ids come from: the controller. */
export interface ProducerIdSource {
  allocateProducerIds(): Promise<Outcome<ProducerIdBlock>>;
}

/** With so much of a block left, the next one is asked for (Kafka's `PREFETCH_THRESHOLD`). */
const LEFT_AT_PREFETCH = 0.1;

/** Hands out producer ids one by one, from one block at a time (Kafka's `ProducerIdManager`). */
export class ProducerIds {
  #block: ProducerIdBlock = { firstProducerId: 0, count: 0 };
  #used = 0;
  #following: ProducerIdBlock | null = null;
  #refill: Promise<Outcome<null>> | null = null;

  constructor(private readonly source: ProducerIdSource) {}

  /** An id that no producer ever had. */
  async next(): Promise<Outcome<number>> {
    while (this.#used === this.#block.count) {
      if (this.#following !== null) {
        this.#block = this.#following;
        this.#following = null;
        this.#used = 0;
        continue;
      }
      const refilled = await this.#fetchBlock();
      if (!refilled.ok) return refilled;
    }
    const left = this.#block.count - ++this.#used;
    if (left <= this.#block.count * LEFT_AT_PREFETCH) this.prefetch();
    return accept(this.#block.firstProducerId + this.#used - 1);
  }

  /** Asks for the next block before it is needed: then the controller may be away. */
  prefetch(): void {
    // Who needs one hears why there is none.
    if (this.#following === null) this.#fetchBlock().catch(() => {});
  }

  #fetchBlock(): Promise<Outcome<null>> {
    this.#refill ??= this.#take().finally(() => this.#refill = null);
    return this.#refill;
  }

  async #take(): Promise<Outcome<null>> {
    const block = await this.source.allocateProducerIds();
    if (!block.ok) return block;
    this.#following = block.value;
    return accept(null);
  }
}
