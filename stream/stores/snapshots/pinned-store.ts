/** What a store on disk was at a commit, held for whoever copies it while the store goes on. */

/** A file of it, which does not change and can be read as long as the store is pinned. */
export interface PinnedFile {
  /** As it is called in the store's folder. */
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 in hex, once somebody has looked; it may be remembered with the file. */
  digest: string | null;
  /** Its bytes in their order, read away from the event loop. Throws `CorruptStoreError`, `DiskError`. */
  pieces(): AsyncIterable<Uint8Array>;
}

/** See the head of the file. To be released once, whatever happened. */
export interface PinnedStore {
  /** Of the changelog's record that is next. */
  readonly changelogOffset: bigint;
  readonly files: readonly PinnedFile[];
  release(): void;
}

/** So much is read, written and looked at in one go. */
export const PIECE_BYTES = 1024 * 1024;
