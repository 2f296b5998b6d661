import { describe, expect, test } from "bun:test";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { Errors } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { openLocalMetadataLog } from "../cluster/local-metadata-log.ts";
import { MemoryMetadataLog } from "../cluster/memory-metadata-log.test-helper.ts";
import type { MetadataLog } from "../cluster/metadata-log.ts";
import { MetadataFormatError } from "../cluster/metadata-records.ts";
import { DataDir } from "../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG } from "../storage/log-config.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import type { Controller } from "./controller.ts";
import { openController } from "./metadata-broker.test-helper.ts";
import { MetadataCache } from "./metadata-cache.ts";

const newCache = () => new MetadataCache(BrokerConfig.of(), 1);

async function openDir(disk: MemoryDisk): Promise<DataDir> {
  const offload = inlineOffload();
  return await DataDir.open({ clock: bunClock, random: bunRandom, disk, offload }, silentLogger, {
    path: "/data",
    nodeId: 1,
    logConfig: () => DEFAULT_LOG_CONFIG,
    codecs: {},
  });
}

const create = (controller: Controller, name: string, numPartitions = 1) =>
  controller.createTopics([{
    name,
    numPartitions,
    replicationFactor: 1,
    assignments: [],
    configs: [{ name: "retention.ms", value: "5" }],
  }]);

describe("Controller", () => {
  test("a restart keeps everything, also past snapshots", async () => {
    const disk = new MemoryDisk({ wallMs: bunClock.wallMs, maxBytes: 1 << 28 });
    let before = "";
    for (let start = 0; start < 4; start++) {
      const dir = await openDir(disk);
      const metadata = newCache();
      const log = openLocalMetadataLog(bunClock, disk, dir);
      const controller = await openController(log, metadata);
      if (start > 0) expect(JSON.stringify(metadata.image.toRecords())).toBe(before);
      // More records than a snapshot waits for.
      for (let i = 0; i < 3; i++) await create(controller, `t-${start}-${i}`, 2000);
      await controller.deleteTopics([{ name: `t-${start}-0`, topicId: "AAAAAAAAAAAAAAAAAAAAAA" }]);
      await controller.allocateProducerIds();
      await controller.close();
      before = JSON.stringify(metadata.image.toRecords());
      expect(metadata.image.topics.size).toBe((start + 1) * 2);
      expect(metadata.image.nextProducerId).toBe((start + 1) * 1000);
      await dir.close();
    }
    expect(disk.stat("/data/__cluster_metadata-0/metadata.checkpoint")).not.toBeNull();
  });

  test("a listener sees the new topic before its creator is answered", async () => {
    const metadata = newCache();
    const controller = await openController(new MemoryMetadataLog(), metadata);
    const seen: string[] = [];
    metadata.onChange((delta, image) => {
      for (const topic of delta.createdTopics) {
        seen.push(`created ${topic.name} ${image.topics.has(topic.name)}`);
      }
      for (const topic of delta.deletedTopics) seen.push(`deleted ${topic.name}`);
    });
    await create(controller, "t").then(() => seen.push("answered"));
    await controller.deleteTopics([{ name: "t", topicId: "AAAAAAAAAAAAAAAAAAAAAA" }]);
    expect(seen).toEqual(["created t true", "answered", "deleted t"]);
  });

  test("who cannot wait is told so, and the change is made all the same", async () => {
    const slow = new MemoryMetadataLog();
    const metadata = newCache();
    const controller = await openController(slow, metadata);
    let release = () => {};
    const gate = new Promise<void>((resolve) => release = resolve);
    const append = slow.append.bind(slow);
    slow.append = async (position, records) => {
      await gate;
      return append(position, records);
    };
    const topic = {
      name: "t",
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    };
    const [outcome] = await controller.createTopics([topic], { timeoutMs: 0 });
    expect(outcome).toMatchObject({ ok: false, error: Errors.REQUEST_TIMED_OUT });
    expect(metadata.topic("t")).toBeUndefined();
    release();
    await controller.close();
    expect(metadata.topic("t")).toBeDefined();
  });

  test("metadata that cannot be read is the operator's to mend", async () => {
    const bad: MetadataLog = new MemoryMetadataLog();
    bad.readSnapshot = () => Promise.reject(new MetadataFormatError("an unknown metadata record"));
    await expect(openController(bad, newCache())).rejects.toBeInstanceOf(OperatorError);
  });
});
