/** Disjoint sets of names that are joined (union-find). */
export class Sets {
  readonly #parents = new Map<string, string>();

  add(name: string): void {
    if (!this.#parents.has(name)) this.#parents.set(name, name);
  }

  rootOf(name: string): string {
    let root = name;
    for (let next = this.#parents.get(root); next !== undefined && next !== root;) {
      root = next;
      next = this.#parents.get(root);
    }
    return root;
  }

  join(one: string, other: string): void {
    this.add(one);
    this.add(other);
    this.#parents.set(this.rootOf(one), this.rootOf(other));
  }

  /** All sets, in the order of their first names. */
  all(): string[][] {
    const byRoot = new Map<string, string[]>();
    for (const name of this.#parents.keys()) {
      const root = this.rootOf(name);
      byRoot.set(root, [...byRoot.get(root) ?? [], name]);
    }
    return [...byRoot.values()];
  }
}
