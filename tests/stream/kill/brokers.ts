/** Brokers that are killed and come back: one of ours, three of ours, or Apache Kafka. */
import { join } from "node:path";
import { Admin } from "../../../client/admin.ts";
import { bunIo } from "../../../core/io/bun/index.ts";
import { startApacheBroker } from "../../compat/apache-broker.ts";
import { ETCD, needEtcd, needKafka } from "../../compat/install.ts";
import { freshDir, startBrokerProcess } from "../../harness/broker-process.ts";
import { ClusterProcess } from "../../harness/cluster-process.ts";
import { freePorts } from "../../harness/free-ports.ts";

export const BROKER_KINDS = ["kstream", "cluster", "apache"] as const;
export type BrokerKind = typeof BROKER_KINDS[number];

/** See the head of the file. */
export interface Brokers {
  readonly bootstrap: string;
  /** It is only to be killed while no transaction is under way. */
  readonly losesMarkers: boolean;
  /** Kills one (kill -9), and has it come back after the pause; resolves when it serves again. */
  kill(pick: (bound: number) => number, pauseMs: number): Promise<void>;
  end(): Promise<void>;
}

const IN_SYNC_MS = 120_000;
const POLL_MS = 100;
const CLUSTER_BROKERS = 3;

/** What is missing for these brokers, or null. */
export async function needFor(kind: BrokerKind): Promise<string | null> {
  if (kind === "apache") return await needKafka();
  return kind === "cluster" ? await needEtcd() : null;
}

export function startBrokers(kind: BrokerKind): Promise<Brokers> {
  if (kind === "apache") return startApache();
  return kind === "cluster" ? startCluster() : startOne();
}

async function startOne(): Promise<Brokers> {
  const dataDir = join(freshDir("kill-streams-broker"), "data");
  const [port] = await freePorts(1);
  const start = () => startBrokerProcess({ dataDir, port: port!, readyWithinMs: 120_000 });
  let broker = await start();
  return {
    ...{ bootstrap: broker.bootstrap, losesMarkers: false },
    kill: async (_pick, pauseMs) => {
      await broker.stop("SIGKILL");
      await Bun.sleep(pauseMs);
      broker = await start();
    },
    end: () => broker.stop("SIGKILL").then(() => {}),
  };
}

/**
 * Apache Kafka 4.3.1 that is killed with a transaction in PrepareCommit has it in CompleteCommit when it is
 * back, without a marker in `__consumer_offsets`: its offsets stay unstable for ever, for any client.
 */
async function startApache(): Promise<Brokers> {
  const broker = await startApacheBroker();
  return {
    ...{ bootstrap: broker.bootstrap, losesMarkers: true },
    kill: async (_pick, pauseMs) => {
      await broker.crash();
      await Bun.sleep(pauseMs);
      await broker.restart();
    },
    end: () => broker.end(),
  };
}

/** One of three that dies leads a third of all partitions, and may be coordinator and controller. */
async function startCluster(): Promise<Brokers> {
  const settings = { "default.replication.factor": "3", "min.insync.replicas": "2" };
  const args = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const cluster = await ClusterProcess.start({
    ...{ brokers: CLUSTER_BROKERS, etcd: ETCD, args, readyWithinMs: 120_000 },
  });
  const { bootstrap } = cluster;
  return {
    ...{ bootstrap, losesMarkers: false },
    kill: async (pick, pauseMs) => {
      const nodeId = 1 + pick(CLUSTER_BROKERS);
      await cluster.stopBroker(nodeId, "SIGKILL");
      await Bun.sleep(pauseMs);
      await cluster.startBroker(nodeId);
      await inSync(bootstrap);
    },
    end: () => cluster.close(),
  };
}

/** Two at a time would be more than a cluster of three can bear. */
async function inSync(bootstrap: string): Promise<void> {
  const admin = new Admin(bunIo(), { brokers: bootstrap.split(",") });
  const limit = performance.now() + IN_SYNC_MS;
  try {
    for (;;) {
      const topics = await admin.listTopics({ internal: true });
      const partitions = topics.flatMap((topic) => topic.partitions);
      if (
        partitions.every(({ leader, replicas, isr }) => {
          return leader >= 0 && isr.length === replicas.length;
        })
      ) return;
      if (performance.now() > limit) throw new Error("replicas do not come in sync again");
      await Bun.sleep(POLL_MS);
    }
  } finally {
    admin.close();
  }
}
