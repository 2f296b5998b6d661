/** Pushes of clients on their way to a collector (`admin/otlp/client-metrics.ts`). Bounded. */

/** Bytes of all that wait. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** See the head of the file. */
export class PushQueue {
  /** Pushes that found no room, that the collector has refused, and that it has taken. */
  dropped = 0;
  refused = 0;
  exported = 0;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;

  /** `push` is a `MetricsData` with the labels of its client. */
  add(push: Uint8Array<ArrayBuffer>): void {
    if (this.#bytes + push.length > WAITING_BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#bytes += push.length;
    this.#waiting.push(push);
  }

  /** Takes the oldest out, one at least if there is one, and no more than so many bytes beyond it. */
  take(bytesMax: number): readonly Uint8Array<ArrayBuffer>[] {
    let bytes = 0;
    let count = 0;
    for (const { length } of this.#waiting) {
      if (count > 0 && bytes + length > bytesMax) break;
      bytes += length;
      count++;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
