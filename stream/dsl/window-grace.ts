/**
 * How long after the end of its window a row of a table may change: what the nearest aggregate of windows
 * before it says, and of several ways the longest (Kafka's `GraphGraceSearchUtil`).
 */
import type { Topology } from "../topology/topology.ts";

/** See the head of the file. */
export class WindowGraces {
  readonly #ofNode = new Map<string, number>();

  constructor(private readonly topology: Topology) {}

  /** A node that aggregates windows, and milliseconds. */
  set(node: string, graceMs: number): void {
    this.#ofNode.set(node, graceMs);
  }

  /** Milliseconds; null: some way to the node has no windows. */
  of(node: string): number | null {
    const own = this.#ofNode.get(node);
    if (own !== undefined) return own;
    let longest: number | null = null;
    for (const parent of this.#parentsOf(node)) {
      const graceMs = this.of(parent);
      if (graceMs === null) return null;
      longest = Math.max(longest ?? 0, graceMs);
    }
    return longest;
  }

  /** What writes the topics between counts as what is before it. */
  #parentsOf(name: string): readonly string[] {
    const { nodes, repartitionTopics } = this.topology;
    const node = nodes.get(name);
    if (node === undefined) return [];
    if (node.kind !== "source") return node.parents;
    const between = node.topics.filter((topic) => repartitionTopics.has(topic));
    return [...nodes.values()].flatMap((each) => {
      if (each.kind !== "sink" || typeof each.topic !== "string") return [];
      return between.includes(each.topic) ? each.parents : [];
    });
  }
}
