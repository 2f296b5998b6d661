/**
 * Which names are shown, where there may be more than there is room for: who came first keeps its place
 * until it is gone, and all others count as `other`. A name that is among the others stays there, since a
 * counter that moved out of the sum would look as if it had begun anew.
 */
export class Slots {
  readonly #shown = new Set<string>();
  readonly #others = new Set<string>();

  /** How many of the names that are there have no place of their own. */
  get othersCount(): number {
    return this.#others.size;
  }

  /** Brings it to the names that are there now; `max`: how many may be shown. */
  update(names: Iterable<string>, max: number): void {
    const present = new Set(names);
    for (const name of this.#shown) if (!present.has(name)) this.#shown.delete(name);
    for (const name of this.#others) if (!present.has(name)) this.#others.delete(name);
    for (const name of present) {
      if (this.#shown.has(name) || this.#others.has(name)) continue;
      (this.#shown.size < max ? this.#shown : this.#others).add(name);
    }
  }

  /** Whether the name has a place. */
  shows(name: string): boolean {
    return this.#shown.has(name);
  }
}
