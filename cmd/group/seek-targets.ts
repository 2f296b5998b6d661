/** Which partitions `group seek` moves, and what the brokers know of them. */
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { UnknownPartitionError } from "../../client/errors.ts";
import type { Admin } from "../../client/admin.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import { refusal, throwFailures } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { parseTopicPartitions } from "./numbers.ts";
import type { WantedOffset } from "./offsets-file.ts";
import type { Position } from "../../client/admin/positions.ts";

/** A partition that is there. */
export interface Target {
  readonly topic: string;
  readonly partition: number;
}

/**
 * The partitions that `specs` name (`orders`, `orders:0-2,5`), or without any those of `places`.
 * Throws `OperatorError` for what is not there; of the group's own places, those are left out.
 */
export async function findTargets(
  admin: Admin,
  places: readonly (Position | WantedOffset)[],
  specs: readonly string[],
): Promise<Target[]> {
  const named = specs.length > 0 ? specs.map(parseSpec) : places.map(({ topic, partition }) => ({
    topic,
    partitions: [partition],
  }));
  const isOwn = specs.length === 0 && places.every((place) => "lag" in place);
  const topics = await findTopics(admin, named.map(({ topic }) => topic), isOwn);
  const found = new Map<string, Target>();
  for (const { topic, partitions } of named) {
    const metadata = topics.get(topic);
    if (metadata === undefined) continue;
    const all = metadata.partitions.map(({ partition }) => partition);
    for (const partition of partitions ?? all) {
      if (partition < all.length) found.set(`${topic}:${partition}`, { topic, partition });
      else if (!isOwn) {
        throw new UnknownPartitionError(topic, partition, all.length);
      }
    }
  }
  return [...found.values()].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
  );
}

function parseSpec(text: string) {
  const spec = parseTopicPartitions(text);
  if (spec !== null) return spec;
  throw new OperatorError(`"${text}" names no topic`, "", "write orders or orders:0-2,5", 2);
}

async function findTopics(
  admin: Admin,
  names: readonly string[],
  isOwn: boolean,
): Promise<Map<string, TopicMetadata>> {
  const unique = [...new Set(names)];
  if (unique.length === 0) return new Map();
  const described = await admin.describeTopics(unique);
  const failures: unknown[] = [];
  for (const { name, error } of described) {
    const isMissing = error?.code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
    if (error === null || (isMissing && isOwn)) continue;
    failures.push(
      isMissing
        ? await missingTopic(admin.cluster, name)
        : refusal(`cannot look at topic "${name}"`, error),
    );
  }
  throwFailures(failures);
  return new Map(described.flatMap(({ name, topic }) => topic === null ? [] : [[name, topic]]));
}
