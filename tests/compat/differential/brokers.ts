/** The two brokers of the differential test, with settings under which they should agree. */
import { Connection } from "../../../core/connection.ts";
import { Errors } from "../../../core/errors.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { heartbeat } from "../../../core/protocol/12-heartbeat.ts";
import { incrementalAlterConfigs } from "../../../core/protocol/44-incremental-alter-configs.ts";
import { withBroker } from "../../harness/broker-process.ts";
import { withApacheKafka } from "../suites/apache-kafka.ts";
import type { Pair } from "./differential.ts";
import { Player } from "./player.ts";

/** Given to both. */
const SETTINGS: Readonly<Record<string, string>> = {
  "group.initial.rebalance.delay.ms": "0",
  "group.min.session.timeout.ms": "1000",
};

/** Brokers that run already, where they are named. */
export interface Named {
  readonly kafka?: string | undefined;
  readonly kstream?: string | undefined;
}

/** Runs the body with both brokers, started where they are not named. */
export async function withBrokers<T>(named: Named, body: (pair: Pair) => Promise<T>): Promise<T> {
  let result: { readonly value: T } | null = null;
  const withOurs = async (kafka: string, kstream: string) => {
    await Promise.all([untilReady(kafka), untilReady(kstream)]);
    await setMinInsyncReplicas(kstream);
    const pair = { theirs: await Player.open(kafka), ours: await Player.open(kstream) };
    result = { value: await body(pair) };
  };
  const withTheirs = async (kafka: string) => {
    if (named.kstream !== undefined) return await withOurs(kafka, named.kstream);
    const set = Object.entries(SETTINGS).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const args = ["--durability", "os", ...set];
    await withBroker(({ bootstrap }) => withOurs(kafka, bootstrap), { args });
  };
  if (named.kafka !== undefined) await withTheirs(named.kafka);
  else await withApacheKafka(withTheirs, SETTINGS);
  if (result === null) throw new Error("the brokers were never both there");
  return (result as { readonly value: T }).value;
}

/** With eligible leader replicas Kafka sets this config itself, and shows it everywhere. */
async function setMinInsyncReplicas(bootstrap: string): Promise<void> {
  const connection = await connect(bootstrap);
  const configs = [{ name: "min.insync.replicas", configOperation: 0, value: "1" }];
  await connection.request(incrementalAlterConfigs, {
    resources: [{ resourceType: 4, resourceName: "", configs }],
  });
  connection.close();
}

function connect(bootstrap: string): Promise<Connection> {
  const [host = "", port] = bootstrap.split(":");
  const io = { clock: bunClock, network: bunNetwork };
  return Connection.open(io, { host, port: Number(port) }, { clientId: "c" });
}

/** Waits until the coordinator of groups answers, which makes its topic. */
async function untilReady(bootstrap: string): Promise<void> {
  const connection = await connect(bootstrap);
  try {
    for (let tries = 0; tries < 150; tries++) {
      const found = await connection.request(findCoordinator, { coordinatorKeys: ["ready"] });
      const beat = await connection.request(heartbeat, { groupId: "ready", memberId: "x" });
      const loaded = beat.errorCode === Errors.UNKNOWN_MEMBER_ID;
      if (found.coordinators[0]?.errorCode === Errors.NONE && loaded) return;
      await Bun.sleep(200);
    }
    throw new Error(`the group coordinator at ${bootstrap} did not get ready`);
  } finally {
    connection.close();
  }
}
