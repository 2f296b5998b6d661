/**
 * What of etcd is used, as a narrow interface: linearizable transactions, watches of single keys and
 * leases. `EtcdHttpStore` speaks to a real etcd; the simulator has another one. Failures are values:
 * whoever gets one decides what a lost answer means for him.
 */

/** A key with its value. Keys are ASCII. Revisions are those of the whole store and grow. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision in which the key came to be; another one after it was deleted and put again. */
  readonly createRevision: number;
  /** The revision of the last put. */
  readonly modRevision: number;
}

/**
 * What must hold for a transaction to be done. A key that does not exist has revision 0. `absent`: no
 * key from `key` to before `rangeEnd` exists.
 */
export type EtcdCompare =
  | { readonly target: "create"; readonly key: string; readonly revision: number }
  | { readonly target: "mod"; readonly key: string; readonly revision: number }
  | { readonly target: "absent"; readonly key: string; readonly rangeEnd: string };

/** One step of a transaction. A range goes from `key` to before `rangeEnd`; without it, `key` alone. */
export type EtcdOp =
  | {
    readonly type: "put";
    readonly key: string;
    readonly value: Uint8Array;
    /** The key goes with this lease. */
    readonly lease?: string;
  }
  | { readonly type: "delete"; readonly key: string; readonly rangeEnd?: string }
  | {
    readonly type: "range";
    readonly key: string;
    readonly rangeEnd?: string;
    /** At most so many entries, the first in order of keys. */
    readonly limit?: number;
  };

/** All of `then` is done, in order, if every comparison holds; else all of `otherwise`. */
export interface EtcdTxn {
  readonly compare: readonly EtcdCompare[];
  readonly then: readonly EtcdOp[];
  readonly otherwise: readonly EtcdOp[];
}

/** `results` has the entries of each step that was done; those that are no ranges have none. */
export interface EtcdTxnAnswer {
  /** Whether the comparisons held. */
  readonly succeeded: boolean;
  /** The store's revision after the transaction. */
  readonly revision: number;
  readonly results: readonly (readonly EtcdEntry[])[];
}

/**
 * - `unavailable`: no answer. A write may have been done, and may even be done later.
 * - `refused`: etcd has said no; nothing was done, and asking again will not help.
 * - `too-large`: the answer is larger than etcd's gateway takes; ask for less.
 * - `no-lease`: the lease has ended; nothing was done.
 *
 * The message is a sentence for people.
 */
export interface EtcdFailure {
  readonly kind: "unavailable" | "refused" | "too-large" | "no-lease";
  readonly message: string;
}

/** What a call gives. */
export type EtcdResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: EtcdFailure };

/** What a watch tells. Nothing comes after `onEnd`. */
export interface EtcdWatchListener {
  /** The key was put, or deleted (null), in this revision. In the order of revisions. */
  onChange(entry: EtcdEntry | null, revision: number): void;
  /** The watch is over: connection, etcd's member or the revisions it began at are gone. */
  onEnd(message: string): void;
}

/** A lease: keys that were put with it go when it has not been kept alive for its time to live. */
export interface EtcdLease {
  readonly id: string;
  readonly ttlMs: number;
}

/** See the head of this file. Every call ends: with an answer, or after its time as `unavailable`. */
export interface EtcdStore {
  txn(txn: EtcdTxn, timeoutMs: number): Promise<EtcdResult<EtcdTxnAnswer>>;
  /**
   * Changes of a key from a revision on. A connection that has died unnoticed tells nothing: who
   * relies on it asks by himself now and then. Returns the function that ends it.
   */
  watch(key: string, fromRevision: number, listener: EtcdWatchListener): () => void;
  grantLease(ttlMs: number, timeoutMs: number): Promise<EtcdResult<EtcdLease>>;
  /** Begins the lease's time anew. */
  keepLeaseAlive(id: string, timeoutMs: number): Promise<EtcdResult<EtcdLease>>;
  /** Ends the lease and removes its keys. */
  revokeLease(id: string, timeoutMs: number): Promise<EtcdResult<void>>;
}

/** The key behind all keys that begin with the prefix, as the end of a range. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** A failure as a result. */
export function failed(kind: EtcdFailure["kind"], message: string): EtcdResult<never> {
  return { ok: false, failure: { kind, message } };
}
