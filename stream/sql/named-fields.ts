/**
 * Which fields that a query names have been in records so far: topics have no schema, so a name that is
 * mistaken is null for ever, and a condition over it is never met.
 */
import { didYouMean } from "../../core/did-you-mean.ts";
import type { Topology } from "../topology/topology.ts";
import { PSEUDO_FIELDS } from "./evaluate.ts";
import { pathsIn } from "./needed-fields.ts";
import type { Query } from "./syntax.ts";

/** As many names are kept of a topic, and shown, to tell what there is. */
const KNOWN_MAX = 50;
const SHOWN_MAX = 10;

interface TopicFields {
  /** Named by the query, and not seen yet. */
  readonly missing: Set<string>;
  /** Seen in records, as long as something is missing. */
  readonly known: Set<string>;
}

/** See the head of the file. */
export class NamedFields {
  readonly #topics = new Map<string, TopicFields>();

  constructor(private readonly query: Query) {
    const sources = [query.from, ...query.joins.map(({ source }) => source)];
    for (const { alias, topic } of sources) {
      const { missing } = this.#topics.get(topic) ?? { missing: [] };
      const named = new Set([...missing, ...fieldsOf(query, alias)]);
      this.#topics.set(topic, { missing: named, known: new Set() });
    }
  }

  /** Has sources tell which fields their records have. */
  watch({ nodes }: Topology): void {
    for (const [name, node] of nodes) {
      const fields = node.kind === "source" ? this.#topics.get(node.topics[0] ?? "") : undefined;
      if (node.kind !== "source" || fields === undefined) continue;
      const { valueSerde } = node;
      const deserialize = (bytes: Uint8Array, topic: string) => {
        const value = valueSerde.deserialize(bytes, topic);
        if (fields.missing.size > 0) see(fields, value);
        return value;
      };
      nodes.set(name, { ...node, valueSerde: { ...valueSerde, deserialize } });
    }
  }

  /** Fields that were in no record so far, a sentence each; nothing of topics without records. */
  problems(): string[] {
    return [...this.#topics].flatMap(([topic, { missing, known }]) => {
      if (known.size === 0) return [];
      return [...missing].map((name) =>
        `no record of ${topic} so far has a field "${name}": ${this.#advice(name, known)}`
      );
    });
  }

  #advice(name: string, known: ReadonlySet<string>): string {
    if (this.query.text.includes(`"${name}"`)) return `a text is written '${name}'`;
    const near = didYouMean(name, known);
    if (near !== null) return `did you mean "${near}"?`;
    return `they have ${[...known].slice(0, SHOWN_MAX).join(", ")}`;
  }
}

function see({ missing, known }: TopicFields, value: unknown): void {
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    missing.delete(name);
    if (known.size < KNOWN_MAX) known.add(name);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of records of a source, as names are resolved in expressions. */
function fieldsOf(query: Query, alias: string): string[] {
  const { selected, joins, where, groupBy, having, partitionBy } = query;
  const paths = pathsIn([selected, joins.map(({ on }) => on), where, groupBy, having, partitionBy]);
  return paths.flatMap((path) => {
    const isOwn = path[0] === alias;
    const isQualified = isOwn && path.length > 1;
    // One that is not qualified is of the only source.
    if (!isQualified && (isOwn || joins.length > 0)) return [];
    const [field, ...rest] = isQualified ? path.slice(1) : path;
    const isPseudo = rest.length === 0 && PSEUDO_FIELDS.has(field!.toLowerCase());
    return isPseudo ? [] : [field!];
  });
}
