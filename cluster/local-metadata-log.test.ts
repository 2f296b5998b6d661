import { describe, expect, test } from "bun:test";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { DataDir } from "../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG } from "../storage/log-config.ts";
import { METADATA_LOG_ID, openLocalMetadataLog } from "./local-metadata-log.ts";
import { aloneBroker } from "./metadata-image.ts";
import { type LogUnderTest, metadataLogSuite } from "./metadata-log-suite.test-helper.ts";

const memoryDisk = () => new MemoryDisk({ wallMs: bunClock.wallMs, maxBytes: 1 << 26 });
const LOG_FILE = "/data/__cluster_metadata-0/00000000000000000000.log";

async function open(disk: MemoryDisk) {
  const offload = inlineOffload();
  const io = { clock: bunClock, random: bunRandom, disk, offload };
  const dir = await DataDir.open(io, silentLogger, {
    path: "/data",
    nodeId: 1,
    logConfig: () => DEFAULT_LOG_CONFIG,
    codecs: {},
  });
  return { dir, log: openLocalMetadataLog(bunClock, disk, dir) };
}

async function subject(disk: MemoryDisk): Promise<LogUnderTest> {
  const { dir, log } = await open(disk);
  return {
    log,
    reopen: async () => {
      await dir.close();
      return subject(disk);
    },
  };
}

metadataLogSuite("LocalMetadataLog", () => subject(memoryDisk()));

/** Cuts a file as a crash in the middle of its last write would. */
function cut(disk: MemoryDisk, path: string, sizeBytes: number): void {
  const file = disk.open(path, "readwrite");
  file.truncateSync(sizeBytes);
  file.close();
}

function forgetCleanShutdown(disk: MemoryDisk): void {
  disk.remove("/data/.kafka_cleanshutdown");
  disk.remove("/data/recovery-point-offset-checkpoint");
}

const record = (brokerId: number) =>
  aloneBroker(brokerId, "a rack with a name that makes the record long");

describe("a crash in the middle of an append", () => {
  test("leaves the change whole or not at all, wherever it is cut", async () => {
    const disk = memoryDisk();
    const first = await open(disk);
    await first.log.append(0, [record(1), record(2)]);
    const kept = disk.stat(LOG_FILE)?.sizeBytes ?? 0;
    await first.log.append(2, [record(3), record(4), record(5)]);
    const whole = disk.stat(LOG_FILE)?.sizeBytes ?? 0;
    expect(whole).toBeGreaterThan(kept);
    await first.dir.close();
    for (let size = whole - 1; size >= kept; size -= 7) {
      cut(disk, LOG_FILE, size);
      forgetCleanShutdown(disk);
      const { dir, log } = await open(disk);
      expect(log.endPosition).toBe(2);
      expect(await log.read(0)).toEqual({
        kind: "changes",
        changes: [{ position: 2, records: [record(1), record(2)] }],
      });
      await dir.close();
    }
    const { log } = await open(disk);
    expect(await log.append(2, [record(6)])).toEqual({ ok: true, position: 3 });
  });

  test("a damaged snapshot is passed over while the log still holds everything", async () => {
    const disk = memoryDisk();
    const { dir, log } = await open(disk);
    await log.append(0, [record(1)]);
    await log.writeSnapshot({ position: 0, records: [] });
    await dir.close();
    cut(disk, "/data/__cluster_metadata-0/metadata.checkpoint", 70);
    const again = await open(disk);
    expect(await again.log.readSnapshot()).toBeNull();
  });

  test("a damaged snapshot is refused once the log begins at it", async () => {
    const disk = memoryDisk();
    const { dir, log } = await open(disk);
    await log.append(0, [record(1)]);
    await log.writeSnapshot({ position: 1, records: [record(1)] });
    await dir.close();
    cut(disk, "/data/__cluster_metadata-0/metadata.checkpoint", 70);
    const again = await open(disk);
    expect(() => again.log.readSnapshot()).toThrow("damaged");
  });

  test("a flipped bit in a snapshot is seen", async () => {
    const disk = memoryDisk();
    const { dir, log } = await open(disk);
    await log.append(0, [record(1)]);
    await log.writeSnapshot({ position: 1, records: [record(1)] });
    await dir.close();
    const file = disk.open("/data/__cluster_metadata-0/metadata.checkpoint", "readwrite");
    const last = new Uint8Array(1);
    // In the name of the rack: still JSON, still a record.
    file.readSync(last, file.sizeBytes() - 10);
    file.writeSync(Uint8Array.of((last[0] ?? 0) ^ 1), file.sizeBytes() - 10);
    file.close();
    const again = await open(disk);
    expect(() => again.log.readSnapshot()).toThrow("damaged");
  });

  test("the log keeps its own folder", async () => {
    const { dir } = await open(memoryDisk());
    expect(dir.log(METADATA_LOG_ID.topic, 0)?.topicId).toBe(METADATA_LOG_ID.topicId);
  });
});
