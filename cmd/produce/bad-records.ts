/** `--on-error`: what becomes of input that cannot be written. */
import type { Clock } from "../../core/io.ts";
import type { TopicWriter } from "../../client/producer.ts";
import type { HeaderEntry } from "../../core/text/envelope.ts";
import type { BadRecordPlace } from "../../core/text/feeder.ts";
import type { RecordError } from "../../core/text/parse-record.ts";

/** Stop at the first, leave them out, or write them to a topic of dead letters. */
export type OnError =
  | { readonly kind: "stop" }
  | { readonly kind: "skip" }
  | { readonly kind: "dlq"; readonly topic: string };

/** The input cannot be gone on with; the message names the place. */
export class InputError extends Error {
  override readonly name = "InputError";
  constructor(
    message: string,
    /** Lines shown below the message: the place in an expression. */
    readonly excerpt: string = "",
  ) {
    super(message);
  }
}

/** How many are printed; the others only count. */
const PRINTED_MAX = 5;
/** Of a record that is too large a part must do. */
const DEAD_LETTER_BYTES_MAX = 512 * 1024;

/** See the head of the file. */
export class BadRecords {
  skipped = 0;

  /** `deadLetters`: null unless they are written. */
  constructor(
    readonly onError: OnError,
    readonly deadLetters: TopicWriter | null,
    readonly topic: string,
    readonly clock: Clock,
    readonly say: (line: string) => void,
  ) {}

  /** True: go on behind it; false: the producer's buffer is full. Throws `InputError`. */
  take(record: Uint8Array, place: BadRecordPlace, error: RecordError): boolean {
    const message = `${place.text}: ${error.message}`;
    if (this.onError.kind === "stop") throw new InputError(message, error.excerpt);
    if (this.deadLetters !== null && !this.#bury(record, place, error)) return false;
    this.skipped++;
    if (this.skipped <= PRINTED_MAX) this.say(`kstream: ${message}`);
    if (this.skipped === 1 && error.excerpt !== "") this.say(error.excerpt);
    if (this.skipped === PRINTED_MAX) this.say("kstream: from here on they are only counted");
    return true;
  }

  #bury(record: Uint8Array, place: BadRecordPlace, error: RecordError): boolean {
    const text = (value: string) => new TextEncoder().encode(value);
    const headers: HeaderEntry[] = [
      ["kstream.error", text(error.message.replace(/\s*\n\s*/g, " "))],
      ["kstream.topic", text(this.topic)],
      ["kstream.input", text(place.input ?? "-")],
      ["kstream.line", text(String(place.number))],
    ];
    if (error.column !== null) headers.push(["kstream.column", text(String(error.column))]);
    if (record.length > DEAD_LETTER_BYTES_MAX) {
      headers.push(["kstream.bytes", text(String(record.length))]);
    }
    const value = record.subarray(0, DEAD_LETTER_BYTES_MAX);
    return this.deadLetters!.append(-1, this.clock.wallMs(), null, value, headers) >= 0;
  }
}
