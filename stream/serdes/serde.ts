/** How keys and values are written as bytes. Null is never given to a serde: it is no bytes. */

/** Writes and reads one type (Kafka's `Serde`). What cannot be read throws: its message says why. */
export interface Serde<T> {
  /** What descriptions and differences of topologies call it. */
  readonly name?: string;
  serialize(value: T, topic: string): Uint8Array;
  /** `bytes` may be a view into a larger buffer: what keeps it copies it. */
  deserialize(bytes: Uint8Array, topic: string): T;
  /**
   * It writes values that nobody can change (text, numbers), and reads each as what it was: stores may
   * give what was put without reading it again.
   */
  readonly isFaithful?: true;
  /**
   * Of keys in windows: so many bytes, at the end of what it writes, are those of the window. Topics that
   * are written with `to` are partitioned by what is before them.
   */
  readonly windowBytes?: number;
}

/** The type that a serde is for. */
export type SerdeType<S> = S extends Serde<infer T> ? T : never;
