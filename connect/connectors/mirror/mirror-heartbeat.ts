/** Signs of life from cluster to cluster (KIP-382: `MirrorHeartbeatConnector`). */
import { Admin } from "../../../client/index.ts";
import { defineSource } from "../../index.ts";
import type { PartialSourceRecord, SourceContext } from "../../index.ts";
import { asRetriable, io, needCompactedTopic, targetOptions } from "./clients.ts";
import { idle } from "./copy.ts";
import { baseProblems, checkOffsets } from "./definition.ts";
import { heartbeatFields } from "./fields.ts";
import type { HeartbeatConfig } from "./fields.ts";
import { HEARTBEATS } from "./policy.ts";
import { writeHeartbeat } from "./records.ts";

export default defineSource({
  name: "mirror-heartbeat",
  aliases: ["MirrorHeartbeatConnector", "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector"],
  version: "1.0.0",
  doc:
    "Writes a heartbeat to the topic heartbeats again and again, as MirrorMaker 2 does. Mirrors copy " +
    "that topic, so that its copies show which clusters are reached and how quickly. At least once.",
  isOfBytes: true,
  config: heartbeatFields,
  check: (config) => baseProblems(config),
  checkOffsets: (positions) =>
    checkOffsets(positions, ["sourceClusterAlias", "targetClusterAlias"]),
  read: beat,
});

async function* beat(
  context: SourceContext<HeartbeatConfig>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, clock, signal } = context;
  if (!config.enabled || !config["emit.heartbeats.enabled"]) return await idle(context);
  const admin = new Admin(io, targetOptions(context));
  try {
    const replicas = config["heartbeats.topic.replication.factor"];
    await needCompactedTopic("target", admin, HEARTBEATS, replicas);
  } catch (error) {
    throw asRetriable(error);
  } finally {
    admin.close();
  }
  const sourceClusterAlias = config["source.cluster.alias"];
  const targetClusterAlias = config["target.cluster.alias"];
  const sourcePartition = { sourceClusterAlias, targetClusterAlias };
  while (!signal.aborted) {
    const timestampMs = clock.wallMs();
    const sourceOffset = { offset: 0 };
    const heartbeat = writeHeartbeat(sourceClusterAlias, targetClusterAlias, timestampMs);
    yield [
      { topic: HEARTBEATS, partition: 0, ...heartbeat, timestampMs, sourcePartition, sourceOffset },
    ];
    await clock.sleep(config["emit.heartbeats.interval.seconds"] * 1000, signal);
  }
}
