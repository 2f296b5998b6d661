import { Errors } from "../../core/errors.ts";
import type { Admin, ConfigEntry } from "../../client/admin.ts";
import {
  orNothing,
  type PartitionFacts,
  partitionFacts,
} from "../../client/admin/partition-facts.ts";
import type { PartitionMetadata, TopicMetadata } from "../../client/cluster.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { count, formatBytes, formatFacts, formatTable, print, printJson } from "../output.ts";
import type { Column } from "../output.ts";

/** Options of `topic describe`. */
export interface DescribeOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** A partition as `topic describe --json` shows it; null where it could not be learnt. */
interface PartitionView extends PartitionFacts {
  readonly partition: number;
  readonly leader: number | null;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** A topic as `topic describe --json` shows it. */
interface TopicView {
  readonly topic: string;
  readonly topicId: string | null;
  readonly internal: boolean;
  /** `fsync`, `os` or `memory` (nothing is on disk); null where the broker has no such config. */
  readonly durability: string | null;
  readonly partitions: readonly PartitionView[];
  readonly configs: readonly { name: string; value: string | null; source: string }[];
}

/** How many topics are asked for their configs at a time. */
const TOPICS_AT_ONCE = 16;

/** `kstream topic describe`. */
export async function describeTopics(
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const failures: unknown[] = [];
    const topics = names.length === 0
      ? await admin.listTopics()
      : await findTopics(admin, names, failures);
    const views = await viewsOf(admin, topics);
    if (options.json) await printJson(views);
    else await print(views.map(format).join("\n"));
    throwFailures(failures);
  });
}

async function findTopics(
  admin: Admin,
  names: readonly string[],
  failures: unknown[],
): Promise<TopicMetadata[]> {
  const described = await admin.describeTopics([...new Set(names)]);
  for (const { name, error } of described) {
    if (error === null) continue;
    failures.push(
      error.code === Errors.UNKNOWN_TOPIC_OR_PARTITION
        ? await missingTopic(admin.cluster, name)
        : refusal(`cannot describe topic "${name}"`, error),
    );
  }
  return described.flatMap(({ topic }) => topic ?? []);
}

async function viewsOf(admin: Admin, topics: readonly TopicMetadata[]): Promise<TopicView[]> {
  if (topics.length === 0) return [];
  const [factsAt, configs, inMemory] = await Promise.all([
    partitionFacts(admin, topics),
    readConfigs(admin, topics),
    brokersInMemory(admin, topics),
  ]);
  return topics.map((topic) => {
    const entries = configs.get(topic.name) ?? [];
    return {
      topic: topic.name,
      topicId: topic.topicId,
      internal: topic.isInternal,
      durability: topic.partitions.some(({ leader }) => inMemory.has(leader))
        ? "memory"
        : entries.find(({ name }) => name === "kstream.durability")?.value ?? null,
      partitions: topic.partitions.map((partition) => ({
        ...viewOf(partition),
        ...factsAt(topic.name, partition.partition),
      })),
      configs: entries
        .filter(({ source }) => source !== "default")
        .map(({ name, value, source }) => ({ name, value, source }))
        .sort((a, b) => a.name < b.name ? -1 : 1),
    };
  });
}

function viewOf(partition: PartitionMetadata) {
  return {
    partition: partition.partition,
    leader: partition.leader < 0 ? null : partition.leader,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicas,
    isr: partition.isr,
    offlineReplicas: partition.offlineReplicas,
  };
}

async function readConfigs(
  admin: Admin,
  topics: readonly TopicMetadata[],
): Promise<Map<string, ConfigEntry[]>> {
  const found = new Map<string, ConfigEntry[]>();
  for (let from = 0; from < topics.length; from += TOPICS_AT_ONCE) {
    await Promise.all(
      topics.slice(from, from + TOPICS_AT_ONCE).map(async ({ name }) => {
        const ask = () => admin.describeConfigs({ type: "topic", name });
        found.set(name, await orNothing(ask, []));
      }),
    );
  }
  return found;
}

/** The leaders of these topics that keep nothing on disk, whatever the topics' configs say. */
async function brokersInMemory(
  admin: Admin,
  topics: readonly TopicMetadata[],
): Promise<Set<number>> {
  const leaders = new Set(topics.flatMap(({ partitions }) => partitions.map((p) => p.leader)));
  leaders.delete(-1);
  const found = new Set<number>();
  await Promise.all([...leaders].map(async (leader) => {
    const broker = { type: "broker", name: String(leader) } as const;
    const ask = () => admin.describeConfigs(broker, { names: ["kstream.storage"] });
    const [storage] = await orNothing(ask, []);
    if (storage?.value === "memory") found.add(leader);
  }));
  return found;
}

function format(view: TopicView): string {
  const { partitions } = view;
  const isHeld = partitions.some(isHeldBack);
  const table = formatTable(partitions, [
    { title: "  PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "LEADER", cell: ({ leader }) => leader ?? "none", right: true },
    { title: "REPLICAS", cell: ({ replicas }) => replicas.join(",") },
    { title: "ISR", cell: ({ isr }) => isr.join(",") },
    { title: "START", cell: ({ startOffset }) => startOffset, right: true },
    ...isHeld ? [STABLE] : [],
    { title: "END", cell: ({ endOffset }) => endOffset, right: true },
    {
      title: "SIZE",
      cell: ({ sizeBytes }) => sizeBytes === null ? null : formatBytes(sizeBytes),
      right: true,
    },
  ]);
  const head = `${view.topic}${view.internal ? " (internal)" : ""}`;
  return `${head}\n${formatFacts(factsOf(view))}\n${table}`;
}

const STABLE: Column<PartitionView> = {
  title: "STABLE",
  cell: ({ stableOffset }) => stableOffset,
  right: true,
};

/** Whether an open transaction holds back consumers with read_committed. */
function isHeldBack({ stableOffset, endOffset }: PartitionView): boolean {
  return stableOffset !== null && endOffset !== null && stableOffset < endOffset;
}

function factsOf(view: TopicView): [string, string][] {
  const { partitions } = view;
  const sizes = partitions.flatMap(({ sizeBytes }) => sizeBytes ?? []);
  const facts: [string, string][] = [
    ["id", view.topicId ?? "-"],
    ["partitions", String(partitions.length)],
    ["replicas", String(partitions[0]?.replicas.length ?? 0)],
    ...durabilityFacts(view.durability),
    ...view.configs.map(({ name, value }, i): [string, string] => [
      i === 0 ? "configs" : "",
      `${name}=${value ?? "(hidden)"}`,
    ]),
  ];
  if (sizes.length === partitions.length && partitions.length > 1) {
    facts.splice(3, 0, ["size", formatBytes(sizes.reduce((sum, size) => sum + size, 0))]);
  }
  const unhealthy = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length;
  if (unhealthy > 0) facts.push(["warning", `${count(unhealthy, "partition")} under-replicated`]);
  const held = partitions.filter(isHeldBack).length;
  if (held > 0) {
    const what = `open transactions hold back read_committed in ${count(held, "partition")}`;
    facts.push(["note", `${what}; see kstream txn list --state ongoing, kstream txn hanging`]);
  }
  return facts;
}

/** What an acknowledgement (acks=all) promises, in words. */
function durabilityFacts(durability: string | null): [string, string][] {
  switch (durability) {
    case "fsync":
      return [[
        "durability",
        "fsync: acknowledged (acks=all) when synced to disk on all in-sync replicas; power loss " +
        "takes nothing acknowledged",
      ]];
    case "os":
      return [[
        "durability",
        "os: acknowledged (acks=all) when all in-sync replicas have written it to the page cache; " +
        "power loss of all of them at once may take it",
      ]];
    case "memory":
      return [[
        "durability",
        "memory: nothing is on disk; acknowledged (acks=all) when all in-sync replicas have it in " +
        "memory, gone when their processes end",
      ]];
    default:
      return [];
  }
}
