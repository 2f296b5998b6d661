/** Tells a changelog of everything that is put. */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";

/** Hears every change of a store. `timestampMs` null: that of the record at hand. Default: no headers. */
export type ChangeListener = (
  key: Uint8Array,
  value: Uint8Array | null,
  timestampMs: number | null,
  headers?: readonly RecordHeader[],
) => void;

/** What of a value the changelog gets, and its time. */
export type LoggedPart = (
  bytes: Uint8Array,
) => readonly [value: Uint8Array, timestampMs: number | null];

/** See the head of the file. */
export class LoggedEngine implements StoreEngine {
  constructor(
    private readonly engine: StoreEngine,
    private readonly loggedPart: LoggedPart,
    private readonly onChange: ChangeListener,
  ) {}

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.engine.get(key);
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.engine.put(key, value);
    const [logged, timestampMs] = value === null ? [null, null] : this.loggedPart(value);
    this.onChange(key, logged, timestampMs);
  }

  range(range: BytesRange): IterableIterator<BytesEntry> {
    return this.engine.range(range);
  }

  close(): void {
    this.engine.close();
  }
}
