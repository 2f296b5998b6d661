/** The records that come closest to what `--where` asks for, so that a log of CI says why. */
import type {
  CompiledExpression,
  RecordPlace,
  RecordScope,
} from "../../core/expression/expression.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { formatEnvelope } from "../../core/text/envelope.ts";
import { nameOf } from "./checks.ts";

/** A record that does not match. */
export interface CloseRecord {
  /** `orders-0@42`. */
  readonly record: string;
  /** Key and value in JSON, cut where they are long. */
  readonly key: string;
  readonly value: string;
  /** How many of the conditions joined by `&&` hold, and of how many. */
  readonly held: number;
  readonly of: number;
}

const KEPT_MAX = 3;
const TEXT_MAX = 200;

/** Keeps the best few; of equals the latest. */
export class Closest {
  readonly #kept: CloseRecord[] = [];

  see(
    record: RecordCursor,
    place: RecordPlace,
    expression: CompiledExpression,
    scope: RecordScope,
  ): void {
    const { held, of } = expression.conditionsHeld(scope);
    const worst = this.#kept.at(-1);
    if (this.#kept.length === KEPT_MAX && worst !== undefined && worst.held > held) return;
    const at = this.#kept.findIndex((each) => each.held <= held);
    const { key, value } = textsOf(record, place);
    const close = { record: nameOf(record, place), key, value, held, of };
    this.#kept.splice(at < 0 ? this.#kept.length : at, 0, close);
    this.#kept.length = Math.min(this.#kept.length, KEPT_MAX);
  }

  /** The closest first. */
  list(): readonly CloseRecord[] {
    return this.#kept;
  }
}

/** As the envelope has them, which shows bytes, null and control characters as they are. */
function textsOf(record: RecordCursor, { topic, partition }: RecordPlace) {
  const cut = (bytes: Uint8Array | null) => bytes?.subarray(0, TEXT_MAX) ?? null;
  const text = (bytes: Uint8Array | null) => {
    const envelope = formatEnvelope({
      topic,
      partition,
      offset: 0n,
      timestampMs: 0,
      key: null,
      value: cut(bytes),
      headers: [],
    });
    const json = envelope.slice(
      envelope.indexOf('"value":') + 8,
      envelope.lastIndexOf(',"headers"'),
    );
    return bytes !== null && bytes.length > TEXT_MAX ? `${json}…` : json;
  };
  return { key: text(record.key()), value: text(record.value()) };
}
