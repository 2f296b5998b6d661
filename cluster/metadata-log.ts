/**
 * The ordered log of all cluster metadata (after Delos' VirtualLog and KRaft). Only the controller
 * appends. A change is one batch of records: it is there whole or not at all, also after a crash.
 */
import type { MetadataRecord } from "./metadata-records.ts";

/** One change; it ends at `position`, where the next one begins. */
export interface MetadataChange {
  readonly position: number;
  readonly records: readonly MetadataRecord[];
}

/** The state at `position` as the records that rebuild it. */
export interface MetadataSnapshot {
  readonly position: number;
  readonly records: readonly MetadataRecord[];
}

/**
 * - `conflict`: the log does not end where the caller believed; nothing was appended.
 * - `unavailable`: it is not known to be durable; the message says why.
 */
export type MetadataAppendResult =
  | { readonly ok: true; readonly position: number }
  | { readonly ok: false; readonly reason: "conflict"; readonly endPosition: number }
  | { readonly ok: false; readonly reason: "unavailable"; readonly message: string };

/**
 * `gone`: the changes from there are no more, start from the snapshot. An empty list of changes:
 * that position is the end.
 */
export type MetadataReadResult =
  | { readonly kind: "changes"; readonly changes: readonly MetadataChange[] }
  | { readonly kind: "gone" };

/** The log cannot be read or written now; later it can. The message is a sentence that says why. */
export class MetadataUnavailableError extends Error {
  override readonly name = "MetadataUnavailableError";
}

/** Positions grow and mean nothing else; 0 is the beginning. See the head of the file. */
export interface MetadataLog {
  /** Where the next change will begin. */
  readonly endPosition: number;
  /** Appends a change if the log ends at `expectedPosition`. Resolves once it is durable. */
  append(
    expectedPosition: number,
    records: readonly MetadataRecord[],
  ): Promise<MetadataAppendResult>;
  /**
   * Durable changes that begin at `position` or later, in order; a bounded number of them. `position`
   * is where a change begins or the log ends. As the calls below, it rejects with a
   * `MetadataUnavailableError` while what holds the log cannot be reached.
   */
  read(position: number): Promise<MetadataReadResult>;
  /** Calls back when there is more to read. Returns the function that ends it. */
  onAppend(listener: () => void): () => void;
  /** The last snapshot that was written, or null. */
  readSnapshot(): Promise<MetadataSnapshot | null>;
  /** Writes a snapshot in place of the last one; changes before it may go. */
  writeSnapshot(snapshot: MetadataSnapshot): Promise<void>;
}
