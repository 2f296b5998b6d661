/** Checks of brokers, partitions, disks, clocks and transactions. */
import type { Admin } from "../../client/admin.ts";
import { type LogDir, logDirs } from "../../client/admin/log-dirs.ts";
import type { BrokerNode, TopicMetadata } from "../../client/cluster.ts";
import { count, formatBytes } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { findOpenTransactions } from "../../client/admin/open-transactions.ts";
import type { Finding } from "./finding.ts";

/** Less room than this is trouble soon; less than the other one is trouble. */
const DISK_FREE_WARNING = 0.2;
const DISK_FREE_PROBLEM = 0.05;
/** Clocks of producers may differ by less. */
const FUTURE_MS = 60_000;
/** Kafka's `transaction.max.timeout.ms`: no transaction is open for longer by right. */
const TRANSACTION_MS_MAX = 900_000;
/** The largest partition against the mean of its topic; and what is worth a word. */
const SKEW_MIN = 4;
const SKEW_RECORDS_MIN = 10_000;

/** Dials every broker where it says that it is. */
export async function checkAddresses(admin: Admin, bootstrap: string): Promise<Finding[]> {
  const { tls, sasl } = admin.cluster.options;
  const protocol = `${sasl ? "SASL_" : ""}${tls ? "SSL" : "PLAINTEXT"}`;
  const { brokers } = await admin.describeCluster();
  const findings = await Promise.all(brokers.map(async (broker): Promise<Finding[]> => {
    try {
      await admin.cluster.connect(broker, "coordinator");
      return [];
    } catch (error) {
      return [unreachable(broker, error, `${protocol}://${firstOf(bootstrap)}`)];
    }
  }));
  return findings.flat();
}

function firstOf(bootstrap: string): string {
  return bootstrap.split(",")[0]?.trim() ?? bootstrap;
}

function unreachable(broker: BrokerNode, error: unknown, reached: string): Finding {
  const { nodeId, host, port } = broker;
  const why = reasonOf(error);
  return {
    check: "address",
    level: "problem",
    subject: `broker ${nodeId}`,
    what: `broker ${nodeId} advertises ${host}:${port}, where it cannot be reached: ${why}`,
    fix: `give it an address that clients reach: advertised.listeners=${reached} ` +
      "(kstream serve --advertise) if that one is this broker's, or let this machine resolve " +
      `and reach ${host}`,
  };
}

/** Leaders, replicas in sync, replicas on failed disks. */
export function checkPartitions(topics: readonly TopicMetadata[]): Finding[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partition, leader, replicas, isr, offlineReplicas }): Finding[] => {
      const place = { check: "partitions", subject: `${name}:${partition}` };
      if (leader < 0) {
        const what = `${name}:${partition} has no leader`;
        const fix = `start one of the brokers ${replicas.join(", ")}`;
        return [{ ...place, level: "problem", what, fix }];
      }
      const missing = replicas.filter((replica) => !isr.includes(replica));
      if (missing.length === 0) return [];
      const offline = offlineReplicas.length > 0 ? ", some of them offline" : "";
      const what = `${name}:${partition} is under-replicated: ${missing.length} of ` +
        `${replicas.length} replicas are not in sync${offline}`;
      const fix = `see whether the brokers ${missing.join(", ")} run and keep up`;
      return [{ ...place, level: "problem", what, fix }];
    })
  );
}

/** Topics of which one partition has much more than the others. */
export async function checkSkew(
  admin: Admin,
  topics: readonly TopicMetadata[],
): Promise<Finding[]> {
  const wide = topics.filter(({ partitions }) => partitions.length > 1);
  const queries = (at: "earliest" | "latest") =>
    wide.flatMap(({ name, partitions }) =>
      partitions.filter(({ leader }) => leader >= 0)
        .map(({ partition }) => ({ topic: name, partition, at }))
    );
  const [starts, ends] = await Promise.all([
    admin.listOffsets(queries("earliest")),
    admin.listOffsets(queries("latest")),
  ]);
  const sizes = new Map<string, { partition: number; records: number }[]>();
  ends.forEach(({ topic, partition, offset, error }, i) => {
    const start = starts[i];
    if (error !== null || start === undefined || start.error !== null) return;
    const list = sizes.get(topic) ?? [];
    list.push({ partition, records: Number(offset - start.offset) });
    sizes.set(topic, list);
  });
  return [...sizes].flatMap(([topic, list]): Finding[] => {
    const largest = list.reduce((a, b) => b.records > a.records ? b : a);
    const others = list.reduce((sum, { records }) => sum + records, 0) - largest.records;
    const mean = others / Math.max(1, list.length - 1);
    if (largest.records < SKEW_RECORDS_MIN || largest.records < SKEW_MIN * mean) return [];
    return [{
      check: "skew",
      level: "warning",
      subject: `${topic}:${largest.partition}`,
      what: `${topic}:${largest.partition} has ${count(largest.records, "record")}, the others ` +
        `${Math.round(mean)} on average`,
      fix: "look for a key that most records have: kstream consume " +
        `${topic} -p ${largest.partition} -o -1000 -e -f json | jq -r .key | sort | uniq -c`,
    }];
  });
}

/** Directories that have failed or are almost full. */
export async function checkDisks(admin: Admin): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { nodeId } of (await admin.describeCluster()).brokers) {
    for (const dir of await logDirs(admin.cluster, nodeId)) {
      const finding = diskFinding(nodeId, dir);
      if (finding !== null) findings.push(finding);
    }
  }
  return findings;
}

/** What is to be said of one directory, or null. */
export function diskFinding(
  nodeId: number,
  { path, failed, totalBytes, usableBytes }: LogDir,
): Finding | null {
  const place = { check: "disk", subject: `broker ${nodeId} ${path}` };
  if (failed) {
    const what = `${path} of broker ${nodeId} has failed`;
    return { ...place, level: "problem", what, fix: "see its log; replace the disk" };
  }
  if (totalBytes === null || usableBytes === null || totalBytes === 0) return null;
  const free = usableBytes / totalBytes;
  if (free >= DISK_FREE_WARNING) return null;
  return {
    ...place,
    level: free < DISK_FREE_PROBLEM ? "problem" : "warning",
    what: `${path} of broker ${nodeId} has ${formatBytes(usableBytes)} left of ` +
      `${formatBytes(totalBytes)} (${Math.round(free * 100)} %)`,
    fix: "delete records (kstream topic trim), lower retention.bytes, or add room",
  };
}

/** Records from the future: retention by time keeps them, and everything before, for too long. */
export async function checkClocks(
  admin: Admin,
  topics: readonly TopicMetadata[],
  nowMs: number,
): Promise<Finding[]> {
  const queries = topics.flatMap(({ name, partitions }) =>
    partitions.filter(({ leader }) => leader >= 0)
      .map(({ partition }) => ({ topic: name, partition, at: "max-timestamp" as const }))
  );
  const latest = await admin.listOffsets(queries);
  return latest.flatMap(({ topic, partition, offset, timestampMs, error }): Finding[] => {
    const aheadMs = Number(timestampMs) - nowMs;
    if (error !== null || offset < 0n || aheadMs < FUTURE_MS) return [];
    return [{
      check: "clock",
      level: "warning",
      subject: `${topic}:${partition}`,
      what: `the record at offset ${offset} of ${topic}:${partition} is ` +
        `${Math.round(aheadMs / 1000)} s ahead of this machine's clock`,
      fix: "set the clocks of its producer, of the brokers and of this machine (NTP); " +
        "message.timestamp.after.max.ms refuses such records",
    }];
  });
}

/** Transactions that nobody will end. */
export async function checkTransactions(
  admin: Admin,
  topics: readonly TopicMetadata[],
  nowMs: number,
): Promise<Finding[]> {
  const partitions = topics.map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => partition),
  }));
  const open = await findOpenTransactions(admin, partitions, TRANSACTION_MS_MAX, nowMs);
  return open.filter(({ transactionalId }) => transactionalId === null).map((
    { producer: { topic, partition }, startOffset },
  ) => ({
    check: "transactions",
    level: "problem",
    subject: `${topic}:${partition}`,
    what: `a transaction hangs in ${topic}:${partition} from offset ${startOffset} on and holds ` +
      "back read_committed",
    fix: "if nobody is about to end it: " +
      `kstream txn abort --partition ${topic}:${partition} --execute`,
  }));
}
