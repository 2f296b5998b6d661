/**
 * Topics as somebody writes them down in YAML, with the place of each word for what is said about
 * it. A file has any number of documents with
 *
 *     topics:
 *       orders:                      or a list, with `- name: orders`
 *         partitions: 12             left out: as it is, or the broker's default for a new one
 *         replication: 3
 *         configs: { retention.ms: 86400000, cleanup.policy: [compact, delete] }
 *       audit:                       nothing at all: only that there is such a topic
 */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";
import type { Pair } from "yaml";
import { didYouMean } from "../../../core/did-you-mean.ts";
import { OperatorError } from "../../../core/operator-error.ts";

/** Where something stands, as `topics.yaml:12:3`. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A topic as a file wants it. */
export interface WantedTopic {
  readonly name: string;
  readonly place: Place;
  /** Null: not said. */
  readonly partitions: number | null;
  readonly replicationFactor: number | null;
  readonly configs: Readonly<Record<string, string>>;
}

const TOPIC_KEYS = ["name", "partitions", "replication", "configs"];
const PARTITIONS_MAX = 1_000_000;
const REPLICAS_MAX = 32_767;
/** Aliases of YAML may unfold without end. */
const ALIASES_MAX = 100;

/** `topics.yaml:12:3`. */
export function formatPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/**
 * The topics in a file, by their order. Throws an `AggregateError` of `OperatorError`s (usage), one
 * for each mistake.
 */
export function parseTopicsFile(text: string, file: string): WantedTopic[] {
  const reader = new Reader(file);
  const topics = reader.read(text);
  if (reader.mistakes.length > 0) throw new AggregateError(reader.mistakes, "mistakes in a file");
  return topics;
}

class Reader {
  readonly mistakes: OperatorError[] = [];
  readonly #lines = new LineCounter();

  constructor(readonly file: string) {}

  read(text: string): WantedTopic[] {
    const documents = parseAllDocuments(text, { lineCounter: this.#lines, prettyErrors: false });
    const topics: WantedTopic[] = [];
    for (const document of "empty" in documents ? [] : documents) {
      for (const error of document.errors) {
        this.#mistake(error.pos[0], error.message.replace(/\s+/g, " ").replace(/\.$/, ""));
      }
      if (document.errors.length > 0) continue;
      try {
        document.toJS({ maxAliasCount: ALIASES_MAX });
      } catch (error) {
        this.#mistake(0, error instanceof Error ? error.message : String(error));
        continue;
      }
      topics.push(...this.#topicsOf(
        document.contents,
        (node) => isAlias(node) ? node.resolve(document) : node,
      ));
    }
    return topics;
  }

  #topicsOf(root: unknown, plain: (node: unknown) => unknown): WantedTopic[] {
    if (root === null || (isScalar(root) && root.value === null)) return [];
    if (!isMap(root)) {
      this.#mistake(offsetOf(root), 'it has to begin with "topics:"');
      return [];
    }
    const topics: WantedTopic[] = [];
    for (const pair of root.items) {
      const key = textOf(pair.key);
      if (key !== "topics") this.#unknownKey(pair, key, ["topics"]);
      else topics.push(...this.#topicList(plain(pair.value), plain));
    }
    return topics;
  }

  #topicList(list: unknown, plain: (node: unknown) => unknown): WantedTopic[] {
    if (list === null || (isScalar(list) && list.value === null)) return [];
    if (isMap(list)) {
      return list.items.flatMap((pair) => {
        const name = textOf(pair.key);
        return this.#topic(name, offsetOf(pair.key), plain(pair.value), plain);
      });
    }
    if (isSeq(list)) {
      return list.items.flatMap((item) => {
        const body = plain(item);
        if (isScalar(body)) return this.#topic(textOf(body), offsetOf(item), null, plain);
        const name = isMap(body)
          ? body.items.find(({ key }) => textOf(key) === "name")?.value
          : undefined;
        return this.#topic(textOf(name), offsetOf(name ?? item), body, plain);
      });
    }
    this.#mistake(offsetOf(list), '"topics" has to be a map of names, or a list');
    return [];
  }

  #topic(
    name: string | null,
    at: number,
    body: unknown,
    plain: (node: unknown) => unknown,
  ): WantedTopic[] {
    if (name === null || name === "") {
      this.#mistake(at, "this topic has no name");
      return [];
    }
    const topic = {
      name,
      place: this.#place(at),
      partitions: null as number | null,
      replicationFactor: null as number | null,
      configs: {} as Record<string, string>,
    };
    if (body === null || (isScalar(body) && body.value === null)) return [topic];
    if (!isMap(body)) {
      this.#mistake(offsetOf(body), `topic "${name}" has to be a map: ${TOPIC_KEYS.join(", ")}`);
      return [];
    }
    for (const pair of body.items) {
      const key = textOf(pair.key);
      const value = plain(pair.value);
      if (key === "partitions") topic.partitions = this.#count(pair, value, PARTITIONS_MAX);
      else if (key === "replication") {
        topic.replicationFactor = this.#count(pair, value, REPLICAS_MAX);
      } else if (key === "configs") topic.configs = this.#configs(value, plain);
      else if (key !== "name") this.#unknownKey(pair, key, TOPIC_KEYS);
    }
    return [topic];
  }

  #count(pair: Pair, value: unknown, max: number): number | null {
    const number: unknown = isScalar(value) ? value.value : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 1 && number <= max) {
      return number;
    }
    this.#mistake(
      offsetOf(value ?? pair.key),
      `${textOf(pair.key)} has to be a whole number from 1 to ${max}`,
    );
    return null;
  }

  #configs(node: unknown, plain: (node: unknown) => unknown): Record<string, string> {
    const configs: Record<string, string> = {};
    if (node === null || (isScalar(node) && node.value === null)) return configs;
    if (!isMap(node)) {
      this.#mistake(offsetOf(node), '"configs" has to be a map, as retention.ms: 1000');
      return configs;
    }
    for (const pair of node.items) {
      const name = textOf(pair.key);
      const value = plain(pair.value);
      const text = isSeq(value)
        ? value.items.map((item) => textOf(plain(item)) ?? "").join(",")
        : textOf(value);
      if (name === null || text === null) {
        const what = `config "${name}" has no value`;
        this.#mistake(offsetOf(pair.key), `${what}: leave it out for the default`);
      } else configs[name] = text;
    }
    return configs;
  }

  #unknownKey(pair: Pair, key: string | null, known: readonly string[]): void {
    const near = didYouMean(key ?? "", known);
    const hint = near === null ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
    this.#mistake(offsetOf(pair.key), `there is no "${key}" here: ${hint}`);
  }

  #mistake(offset: number, text: string): void {
    this.mistakes.push(new OperatorError(formatPlace(this.#place(offset)), text, "", 2));
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** A scalar as it is written: 1e3 and 0x10 are left to the broker, which knows what they mean. */
function textOf(node: unknown): string | null {
  if (!isScalar(node) || node.value === null || node.value === undefined) return null;
  return typeof node.value === "string" ? node.value : node.source ?? String(node.value);
}

function offsetOf(node: unknown): number {
  return isNode(node) ? node.range?.[0] ?? 0 : 0;
}
