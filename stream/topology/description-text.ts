/** A description for people: in the form of Kafka's `TopologyDescription`, which tools draw, and as Mermaid. */
import type {
  DescribedNode,
  DescribedStore,
  DescribedTypes,
  TopologyDescription,
} from "../../core/streams/topology-description.ts";

/** Kafka's form, and behind it what that does not have: stores and topics of the application's own. */
export function descriptionText(description: TopologyDescription): string {
  const lines = ["Topologies:"];
  for (const { id, isGlobal, nodes } of description.subtopologies) {
    const kind = isGlobal ? " for global store (will not generate tasks)" : "";
    lines.push(`   Sub-topology: ${id}${kind}`);
    for (const node of nodes) lines.push(...nodeLines(node));
    lines.push("");
  }
  const { stores, repartitionTopics } = description;
  if (stores.length > 0) lines.push("Stores:", ...stores.map(storeLine), "");
  if (repartitionTopics.length > 0) {
    lines.push("Repartition topics:");
    for (const topic of repartitionTopics) {
      const count = topic.partitions === null ? "as the input" : `${topic.partitions}`;
      lines.push(`   ${topic.name} (${types(topic)}, partitions: ${count})`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function nodeLines(node: DescribedNode): string[] {
  const behind = `      --> ${list(node.children)}`;
  const before = `      <-- ${list(node.parents)}`;
  switch (node.kind) {
    case "source":
      return [`    Source: ${node.name} (topics: [${node.topics.join(", ")}])`, behind];
    case "processor": {
      const stores = node.stores.join(", ");
      return [`    Processor: ${node.name} (stores: [${stores}])`, behind, before];
    }
    case "sink": {
      const topic = node.topic === null ? "extractor class: function" : `topic: ${node.topic}`;
      return [`    Sink: ${node.name} (${topic})`, before];
    }
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

function storeLine(store: DescribedStore): string {
  const shape = Object.entries(store.shape).map(([name, value]) =>
    value === true ? name : `${name}: ${value}`
  );
  const kept = [
    store.isCached ? "cached" : "not cached",
    store.changelog === null ? "not logged" : `changelog: ${store.changelog}`,
  ];
  return `   ${store.name} (${[store.kind, types(store), ...shape, ...kept].join(", ")})`;
}

function types({ key, value }: DescribedTypes): string {
  return `key: ${key ?? "of its own"}, value: ${value ?? "of its own"}`;
}

/**
 * A flowchart: subtopologies as boxes, topics between them, stores beside their steps. `noteOf`: what
 * stands below the name of a step.
 */
export function descriptionMermaid(
  description: TopologyDescription,
  noteOf: ((node: string) => string) | null = null,
): string {
  const ids = new Ids();
  const inner: string[] = [];
  const edges: string[] = [];
  const topics = new Set<string>();
  const repartitions = new Set(description.repartitionTopics.map(({ name }) => name));
  for (const { id, isGlobal, nodes } of description.subtopologies) {
    const title = isGlobal ? "In every member" : `Subtopology ${id}`;
    inner.push(`  subgraph subtopology${id} ["${title}"]`);
    const stores = new Set<string>();
    for (const node of nodes) {
      const own = ids.of("node", node.name);
      const note = noteOf === null ? "" : `<br/>${escape(noteOf(node.name))}`;
      inner.push(`    ${own}["${escape(node.name)}${note}"]`);
      edges.push(...node.children.map((child) => `  ${own} --> ${ids.of("node", child)}`));
      const touched = node.kind === "source"
        ? node.topics
        : node.kind === "sink"
        ? [node.topic ?? "as each record says"]
        : [];
      for (const topic of touched) {
        topics.add(topic);
        const other = ids.of("topic", topic);
        edges.push(node.kind === "source" ? `  ${other} --> ${own}` : `  ${own} --> ${other}`);
      }
      if (node.kind !== "processor") continue;
      for (const store of node.stores) {
        stores.add(store);
        edges.push(`  ${own} <--> ${ids.of("store", store)}`);
      }
    }
    for (const store of stores) {
      inner.push(`    ${ids.of("store", store)}[("${escape(store)}")]`);
    }
    inner.push("  end");
  }
  const outer = [...topics].map((topic) => {
    const style = repartitions.has(topic) ? ":::internal" : "";
    return `  ${ids.of("topic", topic)}[/"${escape(topic)}"/]${style}`;
  });
  const style = "  classDef internal stroke-dasharray: 4";
  return ["flowchart TB", ...outer, ...inner, ...edges, style, ""].join("\n");
}

/** Names of Mermaid's own, which may not have all characters. */
class Ids {
  readonly #ids = new Map<string, string>();

  of(kind: "node" | "topic" | "store", name: string): string {
    const key = `${kind} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = `${kind}${this.#ids.size}`;
    this.#ids.set(key, id);
    return id;
  }
}

function escape(text: string): string {
  return text.replaceAll('"', "#quot;");
}
