/** `kstream inspect` on what a broker has left on disk. */
import { expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { freshDir, withBroker } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

test("everything on disk is decoded, and damage is named by its position", async () => {
  const dataDir = join(freshDir("inspect"), "data");
  await withBroker(async ({ bootstrap }) => {
    const at = { brokers: bootstrap };
    await ok(["topic", "create", "orders", "-c", "index.interval.bytes=0"], at);
    for (const codec of ["none", "zstd"]) {
      const input = Array.from({ length: 500 }, (_, i) => `k${i}:${codec} ${i}\n`).join("");
      await ok(["produce", "orders", "-K", ":", "-z", codec], { ...at, input });
    }
    await ok(["consume", "orders", "-g", "billing", "-n", "10"], at);
  }, { dataDir });
  const lines = async (...args: string[]): Promise<Record<string, unknown>[]> =>
    (await ok(["inspect", ...args, "--json"])).trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
  const folder = join(dataDir, "orders-0");
  const log = join(folder, "00000000000000000000.log");
  const batches = await lines("segment", log);
  expect(batches[0]).toMatchObject({ position: 0, baseOffset: 0, compression: "none" });
  expect(batches.at(-1)).toMatchObject({ lastOffset: 999, compression: "zstd", control: null });
  const records = await lines("segment", log, "--records");
  expect(records.at(-1)).toMatchObject({ offset: 999, key: "k499", value: "zstd 499" });
  expect(await lines("segment", log, "-n", "1")).toHaveLength(1);
  expect(await ok(["inspect", "segment", log, "-n", "1"])).toMatch(/^position=0 sizeBytes=\d+ /);

  const times = await lines("timeindex", log.replace(/log$/, "timeindex"));
  expect(times.at(-1)).toMatchObject({ offset: 999 });
  const snapshot = readdirSync(folder).find((name) => name.endsWith(".snapshot")) ?? "none";
  expect((await lines("snapshot", join(folder, snapshot)))[0]).toHaveProperty("producerId");
  const offsets = await lines("checkpoint", join(dataDir, "recovery-point-offset-checkpoint"));
  expect(offsets).toContainEqual({ topic: "orders", partition: 0, offset: 1000 });

  const metadata = await lines("metadata", join(dataDir, "__cluster_metadata-0"));
  expect(metadata).toContainEqual(expect.objectContaining({ type: "topic", name: "orders" }));
  const groups = [];
  for (const name of readdirSync(dataDir).filter((each) => each.startsWith("__consumer_off"))) {
    const finished = await kstream(["inspect", "group", join(dataDir, name), "--json"]);
    if (finished.exitCode === 0) groups.push(...finished.stdout.trimEnd().split("\n"));
  }
  expect(groups.join("\n")).toMatch(/"type":"OffsetCommit","key":{"group":"billing"/);

  const middle = Number(batches[1]?.["position"] ?? 0) + 70;
  const file = openSync(log, "r+");
  writeSync(file, "!", middle);
  closeSync(file);
  const damaged = await kstream(["inspect", "segment", log]);
  expect(damaged.exitCode).toBe(1);
  expect(damaged.stderr).toContain(`at byte ${batches[1]?.["position"]}`);
  await fails(["inspect", "segment", join(folder, "none.log")], 2, ["none.log"]);
}, 60_000);
