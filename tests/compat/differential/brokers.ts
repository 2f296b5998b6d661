/** The two brokers of the differential test, with settings under which they should agree. */
import { Connection } from "../../../core/connection.ts";
import { Errors } from "../../../core/errors.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { heartbeat } from "../../../core/protocol/12-heartbeat.ts";
import { initProducerId } from "../../../core/protocol/22-init-producer-id.ts";
import { incrementalAlterConfigs } from "../../../core/protocol/44-incremental-alter-configs.ts";
import { withBroker } from "../../harness/broker-process.ts";
import { withApacheKafka } from "../apache-broker.ts";
import type { Pair } from "./differential.ts";
import { Player } from "./player.ts";

/** Given to both. */
const SETTINGS: Readonly<Record<string, string>> = {
  "group.initial.rebalance.delay.ms": "0",
  "group.min.session.timeout.ms": "1000",
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users": "User:ANONYMOUS",
};

/** How our broker is started: as Kafka acknowledges, and with the same settings. */
export const OUR_ARGS: readonly string[] = [
  "--durability",
  "os",
  ...Object.entries(SETTINGS).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
];

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
    await withBroker(({ bootstrap }) => withOurs(kafka, bootstrap), { args: OUR_ARGS });
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

/** Waits until the coordinators of groups and transactions answer, which makes their topics. */
async function untilReady(bootstrap: string): Promise<void> {
  const connection = await connect(bootstrap);
  try {
    for (let tries = 0; tries < 150; tries++) {
      const beat = await connection.request(heartbeat, { groupId: "ready", memberId: "x" });
      // In which shard of the coordinator an id falls differs, so that one speaks for all but once.
      const ids = Array.from({ length: 8 }, (_, index) => `ready-${index}`);
      await connection.request(findCoordinator, { coordinatorKeys: ["ready"] });
      await connection.request(findCoordinator, { keyType: 1, coordinatorKeys: ids });
      const inits = ids.map((transactionalId) =>
        connection.request(initProducerId, { transactionalId, transactionTimeoutMs: 1_000 })
      );
      const codes = (await Promise.all(inits)).map(({ errorCode }) => errorCode);
      const isReady = codes.every((code) => code === Errors.NONE);
      if (isReady && beat.errorCode === Errors.UNKNOWN_MEMBER_ID) return;
      await Bun.sleep(200);
    }
    throw new Error(`the coordinators at ${bootstrap} did not get ready`);
  } finally {
    connection.close();
  }
}
