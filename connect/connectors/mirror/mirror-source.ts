/** Topics of another cluster into the worker's (KIP-382: `MirrorSourceConnector`). */
import { Admin } from "../../../client/index.ts";
import { defineSource } from "../../index.ts";
import type { ConfigOf, TaskContext } from "../../index.ts";
import { io, repeatedly, sourceOptions, withAdmins } from "./clients.ts";
import { copyRecords } from "./copy.ts";
import { baseProblems, checkOffsets, probeSource } from "./definition.ts";
import { sourceFields } from "./fields.ts";
import type { SourceConfig } from "./fields.ts";
import { namesWithout, needCopies, syncAcls, syncConfigs, topicsToCopy } from "./topics.ts";
import type { Counts } from "./topics.ts";

export default defineSource({
  name: "mirror-source",
  aliases: ["MirrorSourceConnector", "org.apache.kafka.connect.mirror.MirrorSourceConnector"],
  version: "1.0.0",
  doc:
    "Copies topics of another Kafka cluster into the worker's, as MirrorMaker 2 does: records byte for " +
    "byte to the same partitions, topics and partitions as they come, configs and ACLs. At least once, " +
    "and exactly once with exactly.once.support. Its settings, offsets and internal topics are those of " +
    "MirrorMaker 2, which may go on where this has stopped.",
  delivery: "exactly-once",
  isOfBytes: true,
  config: sourceFields,
  check(config) {
    const isDirty = config["source.consumer.isolation.level"] === "read_uncommitted";
    const field = "source.consumer.isolation.level";
    if (config["exactly.once.support"] !== "required" || !isDirty) return baseProblems(config);
    const message = `"${field}" has to be read_committed with exactly.once.support=required`;
    return [...baseProblems(config), { field, message }];
  },
  probe: (config, signal) => probeSource(config, signal),
  checkOffsets: (positions) => checkOffsets(positions, ["cluster", "topic", "partition"]),
  async tasks(config, raw, max, signal) {
    const counts = config.enabled ? await countsOf(config, signal) : new Map<string, number>();
    const partitions = [...counts].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => `${topic}-${partition}`)
    );
    const tasks = Math.max(1, Math.min(max, partitions.length));
    return Array.from({ length: tasks }, (_, task) => ({
      ...raw,
      "task.assigned.partitions": partitions.filter((_, i) => i % tasks === task).join(","),
    }));
  },
  watch: watchTopics,
  read: copyRecords,
});

async function countsOf(config: SourceConfig, signal: AbortSignal): Promise<Counts> {
  const source = new Admin(io, sourceOptions(config));
  try {
    return await topicsToCopy(source, config, signal);
  } finally {
    source.close();
  }
}

/** Looks for new topics and partitions; keeps configs and ACLs of copies as those of topics. */
async function watchTopics(
  config: ConfigOf<typeof sourceFields>,
  changed: () => void,
  context: TaskContext<SourceConfig>,
): Promise<void> {
  if (!config.enabled) return;
  let known: string | null = null;
  let hasAcls = config["sync.topic.acls.enabled"];
  const every = (name: "refresh.topics" | "sync.topic.configs" | "sync.topic.acls") =>
    config[`${name}.interval.seconds`];
  const jobs: Promise<void>[] = [];
  const job = (name: Parameters<typeof every>[0], what: string, body: () => Promise<void>) => {
    if (config[`${name}.enabled`]) jobs.push(repeatedly(context, every(name), what, body));
  };
  job("refresh.topics", "looking for topics", () =>
    withAdmins(context, async (source, target) => {
      const counts = await topicsToCopy(source, config, context.signal);
      const now = JSON.stringify([...counts]);
      if (now === known) return;
      for (const topic of namesWithout(config, counts)) {
        const why = "there is none, or no right to DESCRIBE it in the source cluster";
        context.log.warn("a topic is not copied", { topic, why });
      }
      await needCopies(source, target, context, counts);
      known = now;
      changed();
    }));
  job("sync.topic.configs", "copying configs", () =>
    withAdmins(context, async (source, target) => {
      const counts = await topicsToCopy(source, config, context.signal);
      await needCopies(source, target, context, counts);
      await syncConfigs(source, target, context, counts);
    }));
  job("sync.topic.acls", "copying ACLs", () =>
    withAdmins(context, async (source, target) => {
      if (hasAcls) hasAcls = await syncAcls(source, target, context);
    }));
  await Promise.all(jobs);
}
