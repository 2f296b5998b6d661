/** What became of records at each node of an application, since its member began. */

/** Of a node; records that are processed again, after a failure, count again. */
export class NodeCount {
  /** Records that came to it, of a source those that were read. */
  in = 0;
  /** Records that it gave on, or wrote; one for several nodes behind it is one. */
  out = 0;
  /**
   * It could not read, process or write them, or brokers have refused them; what becomes of those is for
   * the handlers to say.
   */
  errored = 0;
  /** Those that it left out, by the reason. */
  readonly dropped = new Map<string, number>();

  drop(reason: string): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }
}

/** The counts of nodes by their names: all tasks of a member add to the same. */
export class NodeCounts {
  readonly #byNode = new Map<string, NodeCount>();

  of(node: string): NodeCount {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const made = new NodeCount();
    this.#byNode.set(node, made);
    return made;
  }

  entries(): IterableIterator<[string, NodeCount]> {
    return this.#byNode.entries();
  }
}
