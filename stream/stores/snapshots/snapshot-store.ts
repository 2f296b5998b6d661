/** Where snapshots are kept, beyond the machine: a folder, or a bucket of an object storage. */

/** What is kept. */
export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** By the clock of where it is kept. */
  readonly modifiedMs: number;
}

/**
 * Objects by names, of which "/" parts folders. Each method may reject with whatever the place says, and
 * may take for ever where that does not answer: who calls has patience, or none. One conformance suite
 * (`snapshot-store.test-helper.ts`).
 */
export interface SnapshotStore {
  /** For people. */
  readonly place: string;
  /** It is there whole, or not at all; one of the same name is replaced. */
  put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<void>;
  /** Its bytes in their order. Rejects where it is not there, on the first piece at the latest. */
  get(name: string): AsyncIterable<Uint8Array>;
  /** All whose names begin with this folder, which ends in "/"; what is half put may be there by another name. */
  list(folder: string): Promise<StoredObject[]>;
  /** One that is not there is no error. */
  remove(name: string): Promise<void>;
}
