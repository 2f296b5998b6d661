/** Where groups of one cluster go on in another (KIP-382, KIP-545: `MirrorCheckpointConnector`). */
import { Admin } from "../../../client/index.ts";
import { defineSource } from "../../index.ts";
import type { TaskContext } from "../../index.ts";
import { emitCheckpoints } from "./checkpoints.ts";
import { io, repeatedly, sourceOptions } from "./clients.ts";
import { baseProblems, checkOffsets, probeSource } from "./definition.ts";
import { checkpointFields } from "./fields.ts";
import type { CheckpointConfig } from "./fields.ts";
import { nameFilter } from "./name-filter.ts";

export default defineSource({
  name: "mirror-checkpoint",
  aliases: [
    "MirrorCheckpointConnector",
    "org.apache.kafka.connect.mirror.MirrorCheckpointConnector",
  ],
  version: "1.0.0",
  doc:
    "Translates offsets of groups for the copies that mirror-source makes, as MirrorMaker 2 does: writes " +
    "them to ALIAS.checkpoints.internal and, with sync.group.offsets.enabled, to groups of the target " +
    "that have no members. Who goes on there skips nothing and reads a little again. At least once.",
  isOfBytes: true,
  config: checkpointFields,
  check(config) {
    if (config["emit.offset-syncs.enabled"]) return baseProblems(config);
    const field = "emit.offset-syncs.enabled";
    return [{ field, message: `"${field}" has to be true: checkpoints are made of them` }];
  },
  probe: (config, signal) => probeSource(config, signal),
  checkOffsets: (positions) => checkOffsets(positions, ["group", "topic", "partition"]),
  async tasks(config, raw, max, signal) {
    const isIdle = !config.enabled || !config["emit.checkpoints.enabled"];
    const groups = isIdle ? [] : await groupsOf(config, signal);
    const tasks = Math.max(1, Math.min(max, groups.length));
    return Array.from({ length: tasks }, (_, task) => ({
      ...raw,
      "task.assigned.groups": groups.filter((_, i) => i % tasks === task).join(","),
    }));
  },
  async watch(config, changed, context: TaskContext<CheckpointConfig>) {
    if (!config.enabled || !config["refresh.groups.enabled"]) return;
    let known: string | null = null;
    const seconds = config["refresh.groups.interval.seconds"];
    await repeatedly(context, seconds, "looking for groups", async () => {
      const now = JSON.stringify(await groupsOf(config, context.signal));
      if (now !== known) changed();
      known = now;
    });
  },
  read: emitCheckpoints,
});

/** Groups of consumers of the source that are wanted. Names with commas cannot be said to tasks. */
async function groupsOf(config: CheckpointConfig, signal: AbortSignal): Promise<string[]> {
  const isWanted = nameFilter(config.groups, config["groups.exclude"]);
  const admin = new Admin(io, sourceOptions(config));
  try {
    const groups = await admin.groups.list({ signal });
    return groups.filter(({ groupId, type, protocolType }) =>
      isWanted(groupId) && !groupId.includes(",") && groupId.trim() === groupId &&
      type !== "share" && type !== "streams" && ["", "consumer"].includes(protocolType)
    ).map(({ groupId }) => groupId);
  } finally {
    admin.close();
  }
}
