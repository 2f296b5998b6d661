/** What holds the bytes of a store on disk. */
import type { StoreEngine } from "./engine.ts";
import type { PinnedStore } from "./snapshots/pinned-store.ts";

/**
 * Between commits what is put is in memory alone, reads go through it; a commit writes it with the
 * changelog's offset, both or neither. So however the process ends, the store on disk is what it was at a
 * commit, and its changelog has the rest from that offset on.
 */
export interface DurableEngine extends StoreEngine {
  /**
   * The offset of the changelog's record that is next after what was committed. Null: none was given, so
   * all of the changelog is to be read.
   */
  readonly changelogOffset: bigint | null;
  /** How much a commit would write. Who runs the task commits before it is too much. */
  readonly uncommittedBytes: number;
  /** What it takes on disk, and of memory what is to go there; overwritten values included. */
  readonly sizeBytes: number;
  /** Throws `DiskError`; the store is to be opened again then, and is as at the last commit. */
  commit(changelogOffset: bigint | null): void;
  /**
   * Has nothing any more, on disk neither: it is to be restored from the beginning. Throws `DiskError`; the
   * store is to be opened again then.
   */
  wipe(): void;
  /** Has keys before this one gone, with the next commit, without a trace of each. */
  dropBelow(key: Uint8Array): void;
  /**
   * What it was at the last commit, whatever is put, committed and closed later. Null: that has no offset,
   * or the engine is closed, or could not write. Throws `DiskError`.
   */
  pin(): PinnedStore | null;
  /**
   * Resolves when all that was committed so far has survived a power cut, but for what is in the log
   * (which survives the process alone until the system writes it). Rejects with `DiskError`.
   */
  settled(): Promise<void>;
}
