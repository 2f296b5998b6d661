/** What has to change so that a cluster has the topics of some files: pure. */
import { OperatorError } from "../../../core/operator-error.ts";
import type { ConfigEntry } from "../../../client/admin.ts";
import { count } from "../../output.ts";
import { formatPlace } from "./topics-file.ts";
import type { Place, WantedTopic } from "./topics-file.ts";

/** A topic as the cluster has it. */
export interface PresentTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: readonly ConfigEntry[];
}

/** A config that changes: `from` null: not set so far; `to` null: back to the default. */
export interface ConfigMove {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** One topic that changes. */
export interface TopicChange {
  readonly action: "create" | "alter" | "delete";
  readonly topic: string;
  /** Null for a topic that no file names. */
  readonly place: Place | null;
  /** Null: as it is, or the broker's default. */
  readonly partitions: number | null;
  /** How many there are; null for a new topic. */
  readonly partitionsBefore: number | null;
  /** Of a new topic; null: the broker's default. */
  readonly replicationFactor: number | null;
  readonly configs: readonly ConfigMove[];
}

/** What to do, and what is not done. */
export interface Plan {
  readonly changes: readonly TopicChange[];
  /** Topics that are as the files want them. */
  readonly unchanged: readonly string[];
  /** Topics that no file names and that stay. */
  readonly unlisted: readonly string[];
  /** What the files want and no cluster can do. */
  readonly refusals: readonly OperatorError[];
}

/**
 * The plan. Topics and configs that no file names stay, or go with `prune`; those that belong to
 * programs, with names that begin with "_", stay in any case.
 */
export function planTopics(
  wanted: readonly WantedTopic[],
  present: ReadonlyMap<string, PresentTopic>,
  prune: boolean,
): Plan {
  const refusals: OperatorError[] = [];
  const changes: TopicChange[] = [];
  const unchanged: string[] = [];
  for (const topic of wanted) {
    const now = present.get(topic.name);
    if (now === undefined) {
      changes.push(creation(topic));
      continue;
    }
    refusals.push(...refusalsOf(topic, now));
    const change = alteration(topic, now, prune);
    if (change === null) unchanged.push(topic.name);
    else changes.push(change);
  }
  const listed = new Set(wanted.map(({ name }) => name));
  const unlisted = [...present.keys()].filter((name) => !listed.has(name) && !name.startsWith("_"));
  if (prune) changes.push(...unlisted.map((name) => deletion(name, present.get(name)!)));
  return { changes, unchanged, unlisted: prune ? [] : unlisted, refusals };
}

function refusalsOf(topic: WantedTopic, now: PresentTopic): OperatorError[] {
  const where = `${formatPlace(topic.place)}: topic "${topic.name}"`;
  const found: OperatorError[] = [];
  if (topic.partitions !== null && topic.partitions < now.partitions) {
    const why = `partitions cannot be taken away, and it has ${now.partitions}`;
    found.push(new OperatorError(where, why, "write that, or delete and create it"));
  }
  if (topic.replicationFactor !== null && topic.replicationFactor !== now.replicationFactor) {
    const why = `it has ${count(now.replicationFactor, "replica")}, not ${topic.replicationFactor}`;
    found.push(new OperatorError(where, why, "write that; replicas are moved by reassignment"));
  }
  return found;
}

function creation(topic: WantedTopic): TopicChange {
  return {
    action: "create",
    topic: topic.name,
    place: topic.place,
    partitions: topic.partitions,
    partitionsBefore: null,
    replicationFactor: topic.replicationFactor,
    configs: Object.entries(topic.configs).map(([name, to]) => ({ name, from: null, to })),
  };
}

function alteration(topic: WantedTopic, now: PresentTopic, prune: boolean): TopicChange | null {
  const own = new Map(
    now.configs.flatMap(({ name, value, source }) =>
      source === "topic" ? [[name, value ?? ""] as const] : []
    ),
  );
  const configs: ConfigMove[] = Object.entries(topic.configs).flatMap(([name, to]) => {
    const from = own.get(name) ?? null;
    return from !== null && isSameValue(from, to) ? [] : [{ name, from, to }];
  });
  if (prune) {
    for (const [name, from] of own) {
      if (!Object.hasOwn(topic.configs, name)) configs.push({ name, from, to: null });
    }
  }
  const grows = topic.partitions !== null && topic.partitions > now.partitions;
  if (!grows && configs.length === 0) return null;
  return {
    action: "alter",
    topic: topic.name,
    place: topic.place,
    partitions: grows ? topic.partitions : null,
    partitionsBefore: now.partitions,
    replicationFactor: null,
    configs,
  };
}

function deletion(topic: string, now: PresentTopic): TopicChange {
  return {
    action: "delete",
    topic,
    place: null,
    partitions: null,
    partitionsBefore: now.partitions,
    replicationFactor: null,
    configs: [],
  };
}

/** Brokers answer with values in their own writing: `a, b` as `a,b`, 0.50 as 0.5. */
function isSameValue(a: string, b: string): boolean {
  return normal(a) === normal(b);
}

function normal(value: string): string {
  const trimmed = value.trim();
  if (/^[+-]?\d+$/.test(trimmed)) return String(BigInt(trimmed.replace(/^\+/, "")));
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return String(Number(trimmed));
  if (/^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase();
  return trimmed.split(",").map((part) => part.trim()).join(",");
}
