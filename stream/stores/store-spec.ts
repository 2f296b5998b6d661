/** What a store is to be, before a task opens one for itself. */
import type { Serde } from "../serdes/serde.ts";

/** What all stores have. */
interface CommonSpec {
  /** Of the topology the only one; `NAME-changelog` is its topic. */
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Whether its changes are written to a topic, so that it can be restored. */
  readonly isLogged: boolean;
  /** Configs of that topic besides those that the kind of store has. */
  readonly changelogConfigs: Readonly<Record<string, string>>;
  /**
   * Whether changes of a key are gathered until the next commit, or until memory runs short: fewer
   * records behind it, and in the changelog (Kafka's record caches).
   */
  readonly isCached: boolean;
}

/** Values by key. With timestamps a value has the time of the record that it came of. */
export interface KeyValueStoreSpec extends CommonSpec {
  readonly kind: "key-value";
  readonly isTimestamped: boolean;
  /**
   * How long after it was put an entry is there, in the time of the records that come to the store. Without
   * it entries are there for good; with it they are neither cached nor timestamped.
   */
  readonly ttlMs?: number;
}

/** Values by key and window, which are let go of as time passes. `keySerde` is of keys alone. */
export interface WindowStoreSpec extends CommonSpec {
  readonly kind: "window";
  /** With timestamps a value has the time of the record that it came of. */
  readonly isTimestamped: boolean;
  readonly sizeMs: number;
  /** How long after its start a window is kept, in stream time. */
  readonly retentionMs: number;
  /** Whether windows can be asked for in the order of their times too: more is kept for that. */
  readonly isTimeOrdered: boolean;
}

/** Records of one side of a stream-stream join, several of the same key and time too. Never cached. */
export interface JoinWindowStoreSpec extends CommonSpec {
  readonly kind: "join-window";
  readonly retentionMs: number;
}

/** Values by key as they were over time. Never cached. */
export interface VersionedStoreSpec extends CommonSpec {
  readonly kind: "versioned";
  /** How long values that were replaced are kept, and how late one may come, in stream time. */
  readonly historyRetentionMs: number;
}

/** Values by key and session, which are let go of as time passes. `keySerde` is of keys alone. */
export interface SessionStoreSpec extends CommonSpec {
  readonly kind: "session";
  /** How long after its end a session is kept, in stream time. */
  readonly retentionMs: number;
  /** Whether sessions can be asked for in the order of their ends too: more is kept for that. */
  readonly isTimeOrdered: boolean;
}

/** Changes of a table that are held back. Never cached. */
export interface SuppressionStoreSpec extends CommonSpec {
  readonly kind: "suppression";
}

export type StoreSpec =
  | KeyValueStoreSpec
  | WindowStoreSpec
  | JoinWindowStoreSpec
  | SessionStoreSpec
  | VersionedStoreSpec
  | SuppressionStoreSpec;
