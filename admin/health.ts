/**
 * What is wrong with a broker, with the reason and since when: what `/health` says. Findings that keep
 * clients from producing or fetching are `critical`; others need somebody's look, and are `warning`.
 */
import type { Broker } from "../broker/broker.ts";
import { unreadyReasons } from "../broker/readiness.ts";
import { clusterState } from "./metrics/cluster-state.ts";

/** Below it a disk counts as nearly full. */
const FREE_BYTES_MIN = 1024 ** 3;
/** Of the memory of requests: above it clients are about to wait. */
const MEMORY_SHARE_MAX = 0.9;
/** What is named of many. */
const EXAMPLES_MAX = 5;

/** Something that is wrong. */
export interface HealthFinding {
  /** The same word each time, for scripts. */
  readonly what: string;
  readonly severity: "critical" | "warning";
  /** A sentence. */
  readonly why: string;
  /** ISO 8601: when this server first saw it, which may be the first time that it was asked. */
  readonly since: string;
}

/** What `/health` answers. */
export interface Health {
  readonly healthy: boolean;
  readonly findings: readonly HealthFinding[];
}

/** A finding of the moment. */
export type Finding = Omit<HealthFinding, "since">;

/** How another broker of the same `serve --shards` is. */
export interface ShardHealth {
  /** Its name. */
  readonly shard: string;
  readonly findings: readonly Finding[];
}

/** What is the same for whomever one asks. */
const OF_CLUSTER: ReadonlySet<string> = new Set([
  "offline-partitions",
  "fenced-brokers",
  "no-controller",
]);
const NOT_READY = "not-ready";

/** Why this broker and the other shards are not ready; none: they are. */
export function unreadyOf(broker: Broker, siblings: readonly ShardHealth[]): string[] {
  const others = siblings.flatMap(({ shard, findings }) =>
    findings.flatMap(({ what, why }) => what === NOT_READY ? [`${shard}: ${why}`] : [])
  );
  return [...unreadyReasons(broker), ...others];
}

/** Remembers since when findings are there. */
export class HealthWatch {
  readonly #since = new Map<string, string>();

  constructor(private readonly broker: Broker) {}

  /** How it is now, and the other shards. Healthy: nothing critical. */
  look(siblings: readonly ShardHealth[] = []): Health {
    const found = [...findings(this.broker), ...siblings.flatMap(ofShard)];
    for (const what of this.#since.keys()) {
      if (!found.some((finding) => finding.what === what)) this.#since.delete(what);
    }
    const now = new Date(this.broker.io.clock.wallMs()).toISOString();
    return {
      healthy: !found.some(({ severity }) => severity === "critical"),
      findings: found.map((finding) => {
        const since = this.#since.get(finding.what) ?? now;
        this.#since.set(finding.what, since);
        return { ...finding, since };
      }),
    };
  }
}

/** What another shard says of itself, with its name. */
function ofShard({ shard, findings }: ShardHealth): Finding[] {
  return findings.filter(({ what }) => !OF_CLUSTER.has(what)).map(({ what, severity, why }) => ({
    ...{ what: `${what} ${shard}`, severity, why: `${shard}: ${why}` },
  }));
}

/** What is wrong with this broker at the moment. */
export function* findings(broker: Broker): Iterable<Finding> {
  const unready = unreadyReasons(broker);
  if (unready.length > 0) yield { what: NOT_READY, severity: "critical", why: unready.join("; ") };
  yield* ofPartitions(broker);
  yield* ofDisks(broker);
  yield* ofMemory(broker);
}

function* ofPartitions(broker: Broker): Iterable<Finding> {
  const state = clusterState(broker);
  if (state.offline > 0) {
    const why = `${state.offline} partitions of the cluster have no leader: ${leaderless(broker)}`;
    yield { what: "offline-partitions", severity: "critical", why };
  }
  if (state.underMinIsr > 0) {
    const why = `${state.underMinIsr} partitions led here refuse acks=all: fewer replicas are in ` +
      "sync than min.insync.replicas";
    yield { what: "under-min-isr", severity: "critical", why };
  }
  if (state.underReplicated > 0) {
    const why = `${state.underReplicated} partitions led here have replicas out of sync`;
    yield { what: "under-replicated", severity: "warning", why };
  }
  if (state.fencedBrokers > 0) {
    const away = [...broker.metadata.image.brokers.values()]
      .flatMap(({ brokerId, state }) => state === "fenced" ? [brokerId] : []);
    const why = `${state.fencedBrokers} registered brokers are away: ${someOf(away)}`;
    yield { what: "fenced-brokers", severity: "warning", why };
  }
  if (broker.controllerId < 0) {
    const why = "no controller is known: metadata cannot change";
    yield { what: "no-controller", severity: "critical", why };
  }
}

/** The names of some. */
function leaderless({ metadata: { image } }: Broker): string {
  const names: string[] = [];
  for (const [name, { partitions }] of image.topics) {
    partitions.forEach(({ leader }, index) => leader < 0 && names.push(`${name}-${index}`));
    if (names.length > EXAMPLES_MAX) break;
  }
  return someOf(names);
}

function someOf(all: readonly (string | number)[]): string {
  const more = all.length > EXAMPLES_MAX ? " and others" : "";
  return `${all.slice(0, EXAMPLES_MAX).join(", ")}${more}`;
}

function* ofDisks({ dataDirs }: Broker): Iterable<Finding> {
  for (const dir of dataDirs.all) {
    if (dir.failure !== null) {
      const why = `the data directory ${dir.path} has failed: ${dir.failure.message}`;
      yield { what: `failed-directory ${dir.path}`, severity: "critical", why };
    } else if ((dir.freeBytes() ?? Infinity) < FREE_BYTES_MIN) {
      const why = `the data directory ${dir.path} has less than 1 GiB left`;
      yield { what: `full-directory ${dir.path}`, severity: "warning", why };
    }
  }
}

function* ofMemory({ metrics }: Broker): Iterable<Finding> {
  for (const { memory: { usedBytes, limitBytes } } of metrics.network.servers) {
    if (usedBytes <= limitBytes * MEMORY_SHARE_MAX) continue;
    const why = `requests hold ${usedBytes} of ${limitBytes} bytes (queued.max.request.bytes)`;
    yield { what: "request-memory", severity: "warning", why };
    return;
  }
}
