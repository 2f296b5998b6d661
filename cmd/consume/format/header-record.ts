import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

/** A header as a record: its name is the key. Used again for header after header. */
export class HeaderRecord implements PrintableRecord {
  readonly offset = -1;
  readonly timestamp = -1;
  readonly headerCount = 0;
  source: Uint8Array = NOTHING;
  keyStart = 0;
  keyEnd = 0;
  valueStart = -1;
  valueEnd = -1;

  set(name: string, value: Uint8Array | null): this {
    const key = encoder.encode(name);
    this.source = value === null ? key : Buffer.concat([key, value]);
    this.keyEnd = key.length;
    this.valueStart = value === null ? -1 : key.length;
    this.valueEnd = value === null ? -1 : this.source.length;
    return this;
  }

  key(): Uint8Array {
    return this.source.subarray(0, this.keyEnd);
  }

  value(): Uint8Array | null {
    return this.valueStart < 0 ? null : this.source.subarray(this.valueStart);
  }

  headers(): ReturnType<PrintableRecord["headers"]> {
    return [];
  }
}
