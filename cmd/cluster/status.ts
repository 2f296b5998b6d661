/** `kstream cluster status`. */
import type { Admin, ClusterDescription } from "../../client/admin.ts";
import { replicaSizes } from "../../client/admin/log-dirs.ts";
import type { PartitionMetadata, TopicMetadata } from "../../client/cluster.ts";
import { KafkaError, TimeoutError } from "../../client/errors.ts";
import { type AdminOptions, withAdmin } from "../admin-command.ts";
import { count, formatBytes, formatFacts, formatTable, print, printJson } from "../output.ts";

/** Options of the command. */
export interface StatusOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** A broker as `--json` shows it (docs/json.md). */
interface BrokerView {
  readonly nodeId: number;
  /** Null for one that replicas name and that nobody has registered. */
  readonly host: string | null;
  readonly port: number | null;
  readonly rack: string | null;
  readonly state: "up" | "fenced" | "gone";
  readonly controller: boolean;
  readonly leaders: number;
  readonly replicas: number;
  readonly inSync: number;
}

/** A partition that lacks something. */
interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number | null;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  /** Of those that are not in sync; null where nobody says. */
  readonly behind: readonly { readonly nodeId: number; readonly bytes: number | null }[];
}

/** What `--json` prints. */
interface StatusView {
  readonly clusterId: string | null;
  readonly controller: number | null;
  readonly brokers: readonly BrokerView[];
  readonly partitions: number;
  readonly underReplicated: readonly PartitionView[];
}

/** More are told in number. */
const SHOWN_MAX = 20;

/** `kstream cluster status`. */
export async function showStatus(options: StatusOptions): Promise<void> {
  const view = await withAdmin(options, readStatus);
  if (options.json) await printJson(view);
  else await print(format(view));
}

async function readStatus(admin: Admin): Promise<StatusView> {
  const [described, topics] = await Promise.all([
    admin.describeCluster({ includeFenced: true }),
    admin.listTopics({ internal: true }),
  ]);
  const { clusterId, controllerId } = described;
  return {
    clusterId,
    controller: controllerId < 0 ? null : controllerId,
    brokers: brokersOf(described, topics),
    partitions: topics.reduce((sum, { partitions }) => sum + partitions.length, 0),
    underReplicated: await underReplicated(admin, topics),
  };
}

/** Those that are registered, and those that only replicas name. */
function brokersOf(
  { brokers, controllerId }: ClusterDescription,
  topics: readonly TopicMetadata[],
): BrokerView[] {
  const counts = new Map<number, { leaders: number; replicas: number; inSync: number }>();
  const of = (nodeId: number) => {
    const known = counts.get(nodeId) ?? { leaders: 0, replicas: 0, inSync: 0 };
    counts.set(nodeId, known);
    return known;
  };
  for (const { nodeId } of brokers) of(nodeId);
  for (const { leader, replicas, isr } of topics.flatMap(({ partitions }) => partitions)) {
    if (leader >= 0) of(leader).leaders++;
    for (const replica of replicas) of(replica).replicas++;
    for (const replica of isr) of(replica).inSync++;
  }
  const nodes = new Map(brokers.map((broker) => [broker.nodeId, broker]));
  return [...counts].sort(([a], [b]) => a - b).map(([nodeId, counted]) => {
    const node = nodes.get(nodeId);
    return {
      nodeId,
      host: node?.host ?? null,
      port: node?.port ?? null,
      rack: node?.rack ?? null,
      state: node === undefined ? "gone" : node.fenced ? "fenced" : "up",
      controller: nodeId === controllerId,
      ...counted,
    };
  });
}

async function underReplicated(
  admin: Admin,
  topics: readonly TopicMetadata[],
): Promise<PartitionView[]> {
  const lacking = topics.flatMap(({ name, partitions }) =>
    partitions.filter(lacks).map((partition) => ({ ...partition, topic: name }))
  );
  const sizes = await sizesOf(admin, lacking);
  return lacking.map(({ topic, partition, leader, replicas, isr }) => ({
    topic,
    partition,
    leader: leader < 0 ? null : leader,
    replicas,
    isr,
    behind: replicas.filter((id) => !isr.includes(id)).map((nodeId) => {
      const ofLeader = sizes.get(`${leader}/${topic}/${partition}`);
      const own = sizes.get(`${nodeId}/${topic}/${partition}`);
      const isKnown = ofLeader !== undefined && own !== undefined;
      return { nodeId, bytes: isKnown ? Math.max(0, ofLeader - own) : null };
    }),
  }));
}

function lacks({ leader, replicas, isr }: PartitionMetadata): boolean {
  return leader < 0 || isr.length < replicas.length;
}

/** What replicas take on disk, by `node/topic/partition`; nothing of brokers that do not answer. */
async function sizesOf(
  admin: Admin,
  lacking: readonly (PartitionMetadata & { readonly topic: string })[],
): Promise<Map<string, number>> {
  const wanted = lacking.flatMap(({ topic, partition, replicas }) =>
    replicas.map((nodeId) => ({ nodeId, topic, partition }))
  );
  const found = new Map<string, number>();
  const byNode = [...Map.groupBy(wanted, ({ nodeId }) => nodeId)];
  await Promise.all(byNode.map(async ([nodeId, ofNode]) => {
    const topics = [...Map.groupBy(ofNode, ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition }) => partition),
    }));
    for (const each of await sizesOn(admin, nodeId, topics)) {
      found.set(`${nodeId}/${each.topic}/${each.partition}`, each.sizeBytes);
    }
  }));
  return found;
}

async function sizesOn(
  admin: Admin,
  nodeId: number,
  topics: Parameters<typeof replicaSizes>[2],
): ReturnType<typeof replicaSizes> {
  // Who is not among the brokers that lead cannot be asked: waiting for it would help nobody.
  const { brokers } = await admin.describeCluster();
  if (!brokers.some((broker) => broker.nodeId === nodeId)) return [];
  try {
    return await replicaSizes(admin.cluster, nodeId, topics);
  } catch (error) {
    if (error instanceof KafkaError || error instanceof TimeoutError) return [];
    throw error;
  }
}

function format(view: StatusView): string {
  const { brokers, underReplicated: lacking } = view;
  const leaderless = lacking.filter(({ leader }) => leader === null).length;
  const facts = formatFacts([
    ["cluster", view.clusterId ?? "-"],
    ["controller", view.controller === null ? "none" : String(view.controller)],
    ["partitions", partitionsText(view.partitions, lacking.length, leaderless)],
  ]);
  const nodes = formatTable(brokers, [
    { title: "NODE", cell: ({ nodeId }) => nodeId, right: true },
    {
      title: "STATE",
      cell: ({ state, controller }) => controller ? `${state}, controller` : state,
      tone: ({ state }) => state === "up" ? null : "bad",
    },
    { title: "ADDRESS", cell: ({ host, port }) => host === null ? null : `${host}:${port}` },
    { title: "RACK", cell: ({ rack }) => rack },
    { title: "LEADS", cell: ({ leaders }) => leaders, right: true },
    { title: "REPLICAS", cell: ({ replicas }) => replicas, right: true },
    { title: "IN SYNC", cell: ({ inSync }) => inSync, right: true },
  ]);
  return `${facts}\n${nodes}${lacking.length === 0 ? "" : `\n${partitionTable(lacking)}`}`;
}

function partitionsText(all: number, lacking: number, leaderless: number): string {
  if (lacking === 0) return `${all.toLocaleString("en")}, all in sync`;
  const parts = [`${all.toLocaleString("en")}`, `${lacking.toLocaleString("en")} under-replicated`];
  if (leaderless > 0) parts.push(`${leaderless.toLocaleString("en")} without leader`);
  return parts.join(", ");
}

function partitionTable(lacking: readonly PartitionView[]): string {
  // Those that nobody can use come first.
  const sorted = lacking.toSorted((a, b) => Number(b.leader === null) - Number(a.leader === null));
  const table = formatTable(sorted.slice(0, SHOWN_MAX), [
    { title: "PARTITION", cell: ({ topic, partition }) => `${topic}:${partition}` },
    {
      title: "LEADER",
      cell: ({ leader }) => leader ?? "none",
      tone: ({ leader }) => leader === null ? "bad" : null,
      right: true,
    },
    { title: "REPLICAS", cell: ({ replicas }) => replicas.join(",") },
    { title: "ISR", cell: ({ isr }) => isr.join(",") },
    { title: "BEHIND", cell: ({ behind }) => behind.map(behindText).join(", ") },
  ]);
  const more = sorted.length - SHOWN_MAX;
  return more > 0 ? `${table}and ${count(more, "partition")} more: --json lists all\n` : table;
}

function behindText({ nodeId, bytes }: PartitionView["behind"][number]): string {
  return `${nodeId} by ${bytes === null ? "?" : formatBytes(bytes)}`;
}
