import type { Outcome } from "./outcome.ts";
import { accept } from "./outcome.ts";
import type { ProducerIdBlock } from "./metadata-changes.ts";

/** Where blocks of producer ids come from: the controller. */
export interface ProducerIdSource {
  allocateProducerIds(): Promise<Outcome<ProducerIdBlock>>;
}

/** Hands out producer ids one by one, from one block at a time (Kafka's `ProducerIdManager`). */
export class ProducerIds {
  #next = 0;
  #left = 0;
  #refill: Promise<Outcome<null>> | null = null;

  constructor(private readonly source: ProducerIdSource) {}

  /** An id that no producer ever had. */
  async next(): Promise<Outcome<number>> {
    while (this.#left === 0) {
      this.#refill ??= this.#fetchBlock().finally(() => this.#refill = null);
      const refilled = await this.#refill;
      if (!refilled.ok) return refilled;
    }
    this.#left--;
    return accept(this.#next++);
  }

  async #fetchBlock(): Promise<Outcome<null>> {
    const block = await this.source.allocateProducerIds();
    if (!block.ok) return block;
    this.#next = block.value.firstProducerId;
    this.#left = block.value.count;
    return accept(null);
  }
}
