/**
 * Topics that a source writes to and nobody has made (KIP-158): groups of topics, by patterns of their
 * names, with settings of their own, then the default.
 */
import type { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { compileRegex } from "../../core/regex.ts";
import type { Logger } from "../../core/logger.ts";
import { FieldError, int, list } from "../config/fields.ts";
import { parseConfig } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";
import { settingsOf } from "./client-overrides.ts";
import type { TopicMaker } from "./record-sender.ts";

const PREFIX = "topic.creation.";
const DEFAULT = "default";

const patterns = () =>
  list().check((sources) => {
    for (const source of sources) {
      const compiled = compileRegex(source);
      if (!compiled.ok) return `has to be patterns: ${compiled.why}`;
    }
    return null;
  });

/** Settings of a group of topics; all others are configs of topics. */
const GROUP_FIELDS = {
  include: patterns().default([]).doc("Patterns of names of topics, each of a whole name."),
  exclude: patterns().default([]).doc("Patterns of names of topics that do not belong to it."),
  partitions: int({ min: -1 }).default(-1).doc("Partitions; -1: what brokers take by default."),
  "replication.factor": int({ min: -1 }).default(-1)
    .doc("Replicas; -1: what brokers take by default."),
} as const;

interface TopicGroup {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: RawConfig;
  matches(topic: string): boolean;
}

/** Throws `ConfigError`. The default is the last and matches everything. */
export function topicGroups(raw: RawConfig, names: readonly string[]): readonly TopicGroup[] {
  return [...names, DEFAULT].map((name) => {
    const settings = settingsOf(raw, `${PREFIX}${name}.`);
    const config = parseConfig(GROUP_FIELDS, settings);
    const { include, exclude, partitions } = config;
    const configs = Object.fromEntries(
      Object.entries(settings).filter(([key]) => !Object.hasOwn(GROUP_FIELDS, key)),
    );
    const included = include.map(whole);
    const excluded = exclude.map(whole);
    return {
      partitions,
      replicationFactor: config["replication.factor"],
      configs,
      matches: (topic) =>
        name === DEFAULT ||
        (included.some((test) => test(topic)) && !excluded.some((test) => test(topic))),
    };
  });
}

function whole(source: string): (text: string) => boolean {
  const compiled = compileRegex(source);
  if (!compiled.ok) throw new FieldError(compiled.why);
  return (text) => compiled.regex.matches(text);
}

/** See the head of the file. */
export class TopicCreation implements TopicMaker {
  readonly #known = new Set<string>();

  constructor(
    readonly admin: Admin,
    readonly groups: readonly TopicGroup[],
    readonly log: Logger,
    /** Hears of every topic that is written to, once. */
    readonly onTopic: (topic: string) => void,
  ) {}

  async ensure(topic: string): Promise<void> {
    if (this.#known.has(topic)) return;
    if (!await this.#exists(topic)) await this.#create(topic);
    this.#known.add(topic);
    this.onTopic(topic);
  }

  async #exists(topic: string): Promise<boolean> {
    const [found] = await this.admin.describeTopics([topic]);
    return found !== undefined && found.error === null;
  }

  async #create(topic: string): Promise<void> {
    const group = this.groups.find(({ matches }) => matches(topic));
    const [result] = await this.admin.createTopics([{
      name: topic,
      partitions: group?.partitions ?? -1,
      replicationFactor: group?.replicationFactor ?? -1,
      configs: group?.configs ?? {},
    }]);
    const error = result?.error ?? null;
    if (error === null) {
      this.log.info("made a topic", { topic, partitions: result?.partitions ?? -1 });
      return;
    }
    if (error instanceof KafkaError && error.code === Errors.TOPIC_ALREADY_EXISTS) return;
    throw error;
  }
}
