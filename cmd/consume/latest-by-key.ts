/** `consume --latest-by-key`: of each key the last record, as compaction would leave it. */
import { OperatorError } from "../../core/operator-error.ts";
import type { Printer } from "./format/printer.ts";
import type { RecordFormat } from "./format/record-format.ts";
import { Output } from "../../core/text/output.ts";

/** What may be kept: keys and printed records, and what a map takes for them. */
export const LATEST_BYTES_MAX = 256 * 1024 * 1024;
const ENTRY_BYTES = 120;

/** Keeps the printed records until all are read. */
export class LatestByKey {
  readonly #latest = new Map<string, Uint8Array>();
  readonly #one = new Output(() => Promise.resolve(true));
  #bytes = 0;

  constructor(readonly format: RecordFormat, readonly bytesMax: number = LATEST_BYTES_MAX) {}

  /**
   * Keeps the record in place of the one before with its key; a null value forgets both. Records
   * without a key are passed over. Throws `OperatorError` where more would have to be kept than may.
   */
  readonly keep: Printer = (_output, record, place) => {
    const bytes = record.key();
    if (bytes === null) return;
    // A key belongs to its partition, as in a compacted topic.
    const key = `${place.topic}/${place.partition}/${Buffer.from(bytes).toString("latin1")}`;
    const before = this.#latest.get(key);
    if (before !== undefined) {
      this.#bytes -= before.length + key.length + ENTRY_BYTES;
      this.#latest.delete(key);
    }
    if (record.valueStart < 0) return;
    if (this.format.print(this.#one, record, place) === false) return false;
    const printed = this.#one.take();
    this.#latest.set(key, printed);
    this.#bytes += printed.length + key.length + ENTRY_BYTES;
    if (this.#bytes <= this.bytesMax) return;
    throw new OperatorError(
      "there are too many keys for --latest-by-key",
      `${this.#latest.size} of them fill ${this.bytesMax / 1024 / 1024} MiB`,
      "read fewer partitions with -p, choose with --where, or print less with --format",
    );
  };

  /** The records, in the order of the last of each key. */
  *records(): Generator<Uint8Array> {
    const { header } = this.format;
    if (header !== null && this.#latest.size > 0) yield new TextEncoder().encode(header);
    yield* this.#latest.values();
  }
}
