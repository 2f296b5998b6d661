/** Meters by name, a bounded number of them: the least recently used goes when there are more. */

/** Meters that are kept of one kind. */
const METERS_MAX = 10_000;

/** See the head of this file. */
export class Meters<M> {
  readonly #byName = new Map<string, M>();

  constructor(private readonly create: () => M) {}

  /** The meter of this name, a new one if there is none. */
  of(name: string): M {
    const meter = this.#byName.get(name) ?? this.create();
    // A map keeps the order of insertion: the first one is the least recently used.
    this.#byName.delete(name);
    this.#byName.set(name, meter);
    if (this.#byName.size > METERS_MAX) {
      const [oldest] = this.#byName.keys();
      if (oldest !== undefined) this.#byName.delete(oldest);
    }
    return meter;
  }
}
