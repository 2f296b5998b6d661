/** Topics of a cluster under test. */
import { Admin } from "../../client/index.ts";
import { parseBroker } from "../../client/brokers.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import type { ClusterScene } from "./scene.ts";

/** An administrator of the cluster, to be closed. */
export function adminOf(scene: ClusterScene, bootstrap = scene.bootstrap): Admin {
  const brokers = bootstrap.flatMap((text) => parseBroker(text) ?? []);
  return new Admin(bunIo(), { brokers, clientId: "proof" });
}

/** Makes a topic that survives the loss of one broker: three replicas, of which two acknowledge. */
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
  if (created === undefined || created.error !== null) {
    throw created?.error ?? new Error("no topic");
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
