/**
 * News that ride on packets until each was sent often enough (SWIM, section 4.1; memberlist's
 * TransmitLimitedQueue): the least sent first, and of one member only the latest.
 */

interface Item {
  readonly bytes: Uint8Array;
  sent: number;
}

/** See the head of this file. */
export class Broadcasts {
  /** By how often they were sent, then by node id in the order of arrival. */
  readonly #tiers: Map<number, Item>[] = [];
  #size = 0;

  /** How many news are under way. */
  get size(): number {
    return this.#size;
  }

  /** Puts an encoded message about a member, in place of the one that was there. */
  put(nodeId: number, bytes: Uint8Array): void {
    for (const tier of this.#tiers) if (tier.delete(nodeId)) this.#size--;
    this.#tier(0).set(nodeId, { bytes, sent: 0 });
    this.#size++;
  }

  /** Whether there are news about a member. */
  has(nodeId: number): boolean {
    return this.#tiers.some((tier) => tier.has(nodeId));
  }

  /** Messages of together at most `bytesMax`, which count as sent; `limit` is how often each is. */
  take(bytesMax: number, limit: number): Uint8Array[] {
    if (this.#size === 0) return [];
    const taken: Uint8Array[] = [];
    const again: [number, Item][] = [];
    let left = bytesMax;
    for (const tier of this.#tiers) {
      for (const [nodeId, item] of tier) {
        if (item.bytes.length > left) continue;
        left -= item.bytes.length;
        taken.push(item.bytes);
        tier.delete(nodeId);
        this.#size--;
        item.sent++;
        if (item.sent < limit) again.push([nodeId, item]);
      }
    }
    for (const [nodeId, item] of again) this.#tier(item.sent).set(nodeId, item);
    this.#size += again.length;
    return taken;
  }

  #tier(index: number): Map<number, Item> {
    while (this.#tiers.length <= index) this.#tiers.push(new Map());
    const tier = this.#tiers[index];
    return tier ?? new Map();
  }
}
