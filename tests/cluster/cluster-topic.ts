/** Topics of a cluster under test. */
import { Admin, KafkaError } from "../../client/index.ts";
import { parseBroker } from "../../client/brokers.ts";
import { Errors } from "../../core/errors.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import type { ClusterScene } from "./scene.ts";

const POLL_MS = 20;

/** An administrator of the cluster, to be closed. */
export function adminOf(scene: ClusterScene, bootstrap = scene.bootstrap): Admin {
  const brokers = bootstrap.flatMap((text) => parseBroker(text) ?? []);
  return new Admin(bunIo(), { brokers, clientId: "proof" });
}

/**
 * Makes a topic that survives the loss of one broker: three replicas, of which two acknowledge. All
 * brokers have heard of it then.
 */
export async function createTopic(
  scene: ClusterScene,
  topic: string,
  partitions: number,
  { replicationFactor = 3, minInsyncReplicas = 2 } = {},
): Promise<void> {
  const admin = adminOf(scene);
  const configs = { "min.insync.replicas": String(minInsyncReplicas) };
  const [created] = await admin.createTopics([{
    name: topic,
    partitions,
    replicationFactor,
    configs,
  }]);
  await admin.close();
  // The answer to a first attempt may be lost on the way: then it is there.
  const code = created?.error instanceof KafkaError ? created.error.code : null;
  if (created === undefined || (created.error !== null && code !== Errors.TOPIC_ALREADY_EXISTS)) {
    throw created?.error ?? new Error("no topic");
  }
  for (const address of scene.bootstrap) {
    while (await leaderOf(scene, topic, [address]) < 0) await Bun.sleep(POLL_MS);
  }
}

/** The node that leads the first partition of a topic, as these brokers say. */
export async function leaderOf(
  scene: ClusterScene,
  topic: string,
  bootstrap = scene.bootstrap,
): Promise<number> {
  const admin = adminOf(scene, bootstrap);
  try {
    const [described] = await admin.describeTopics([topic]);
    return described?.topic?.partitions[0]?.leader ?? -1;
  } finally {
    await admin.close();
  }
}
