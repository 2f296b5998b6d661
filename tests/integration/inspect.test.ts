/** `kstream inspect` on what a broker has left on disk, and on what it has not. */
import { afterAll, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, rmSync, truncateSync, writeSync } from "node:fs";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@cfworker/json-schema";
import { Producer } from "../../client/producer.ts";
import { encodeSnapshot } from "../../cluster/metadata-batches.ts";
import { clientIo } from "../../cmd/client.ts";
import schemas from "../../docs/json-schemas.json" with { type: "json" };
import { type BrokerProcess, freshDir, withBroker } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

const scratch = freshDir("inspect");
const dataDir = join(scratch, "data");
const folder = join(dataDir, "orders-0");
const segment = (suffix: string) => join(folder, `00000000000000000000${suffix}`);
const schemaOf = new Map<string, object>(Object.entries(schemas.$defs));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The lines that it prints, each by its schema. */
async function lines(kind: string, path: string, ...args: string[]) {
  return await parsed(kind, await ok(["inspect", kind, path, "--json", ...args]));
}

async function parsed(kind: string, stdout: string): Promise<Record<string, unknown>[]> {
  const validator = new Validator(schemaOf.get(`inspect ${kind}`)!, "2020-12");
  return await Promise.all(
    stdout.split("\n").filter((line) => line !== "").map((line) => {
      const entry = JSON.parse(line);
      expect([line, validator.validate(entry).errors]).toEqual([line, []]);
      return entry;
    }),
  );
}

/** All lines of the partitions of an internal topic. */
async function ofTopic(kind: string, topic: string): Promise<Record<string, unknown>[]> {
  const folders = readdirSync(dataDir).filter((name) => name.startsWith(`${topic}-`));
  const all = [];
  for (const name of folders) {
    const path = join(dataDir, name);
    // Most partitions are empty, without any segment.
    const { exitCode, stdout, stderr } = await kstream(["inspect", kind, path, "--json"]);
    expect([exitCode, stderr]).toEqual(
      exitCode === 0 ? [0, ""] : [2, expect.stringContaining("has no segment")],
    );
    all.push(...await parsed(kind, stdout));
  }
  return all;
}

async function fill({ bootstrap, admin }: BrokerProcess): Promise<void> {
  const at = { brokers: bootstrap };
  await ok(["topic", "create", "orders", "-c", "index.interval.bytes=0"], at);
  for (const codec of ["none", "zstd"]) {
    const input = Array.from({ length: 500 }, (_, i) => `k${i}:${codec} ${i}\n`).join("");
    await ok(["produce", "orders", "-K", ":", "-z", codec, "-H", "a=b"], { ...at, input });
  }
  await ok(["topic", "create", "keyed", "-c", "segment.bytes=1048576"], at);
  const wide = Array.from({ length: 20_000 }, (_, i) => `k${i}:${"v".repeat(100)}\n`).join("");
  await ok(["produce", "keyed", "-K", ":"], { ...at, input: wide });
  // Segments that are full are indexed when somebody looks for a key.
  await ok(["topic", "get", "keyed", "k7", "--admin", admin ?? "none"], at);
  await ok(["consume", "orders", "-g", "billing", "-n", "10"], at);
  await ok(["config", "set", "group", "jobs", "share.auto.offset.reset=earliest"], at);
  await ok(["consume", "orders", "--share", "jobs", "-n", "5"], at);
  const transactional = { brokers: [bootstrap], transactionalId: "billing-1" };
  const producer = new Producer(clientIo, transactional);
  await producer.transactions.init();
  producer.transactions.begin();
  await producer.send({ topic: "orders", value: new Uint8Array([0xff]) });
  await producer.transactions.abort();
  await producer.close();
}

test("everything on disk is decoded, as its schema says", async () => {
  await withBroker(fill, { dataDir });
  const batches = await lines("segment", segment(".log"));
  expect(batches[0]).toMatchObject({ position: 0, baseOffset: 0, compression: "none" });
  const zstd = batches.find(({ compression }) => compression === "zstd");
  expect(zstd).toMatchObject({ lastOffset: 999, transactional: false, control: null });
  expect(batches.at(-1)).toMatchObject({ records: 1, transactional: true, control: "abort" });
  const records = await lines("segment", segment(".log"), "--records");
  expect(records).toContainEqual(
    expect.objectContaining({
      ...{ offset: 999, key: "k499", value: "zstd 499" },
      headers: [["a", "b"]],
    }),
  );
  expect(records).toContainEqual(expect.objectContaining({ value: { base64: "/w==" } }));
  expect(await lines("segment", segment(".log"), "-n", "1")).toHaveLength(1);
  expect(await ok(["inspect", "segment", segment(".log"), "-n", "1"]))
    .toMatch(/^position=0 sizeBytes=\d+ /);

  const places = await lines("index", segment(".index"));
  expect(places).toContainEqual({ offset: 999, position: zstd?.["position"] });
  expect(await lines("timeindex", segment(".timeindex")))
    .toContainEqual({ timestamp: zstd?.["maxTimestamp"], offset: 999 });
  expect(await lines("txnindex", segment(".txnindex")))
    .toEqual([expect.objectContaining({ firstOffset: 1000, lastOffset: 1001 })]);
  const keyIndex = join(dataDir, "keyed-0/00000000000000000000.keyindex");
  const keys = await lines("keyindex", keyIndex, "--records");
  expect(keys[0]).toMatchObject({ fromPosition: 0, entries: keys.length - 1 });
  expect(keys[0]?.["nextOffset"]).toBe(keys.length - 1);
  expect(keys.slice(1)).toContainEqual(expect.objectContaining({ batchOffset: 0 }));
  expect(await lines("keyindex", keyIndex)).toEqual([keys[0]!]);
  const snapshot = readdirSync(folder).find((name) => name.endsWith(".snapshot")) ?? "none";
  const producers = await lines("snapshot", join(folder, snapshot));
  expect(producers[0]).toMatchObject({ batches: [{ lastOffset: 499 }] });
  const offsets = await lines("checkpoint", join(dataDir, "recovery-point-offset-checkpoint"));
  expect(offsets).toContainEqual({ topic: "orders", partition: 0, offset: 1002 });
  expect(await lines("checkpoint", join(folder, "leader-epoch-checkpoint")))
    .toEqual([{ epoch: 0, startOffset: 0 }]);
}, 60_000);

test("records of internal topics have Kafka's names", async () => {
  const metadata = await ofTopic("metadata", "__cluster_metadata");
  expect(metadata).toContainEqual(expect.objectContaining({ type: "topic", name: "orders" }));
  expect(await ofTopic("group", "__consumer_offsets")).toContainEqual(
    expect.objectContaining({
      type: "OffsetCommit",
      key: { group: "billing", topic: "orders", partition: 0 },
      value: expect.objectContaining({ offset: 10 }),
    }),
  );
  expect(await ofTopic("transaction", "__transaction_state")).toContainEqual(
    expect.objectContaining({ type: "TransactionLog", key: { transactionalId: "billing-1" } }),
  );
  expect(await ofTopic("share", "__share_group_state"))
    .toContainEqual(expect.objectContaining({ type: "ShareSnapshot" }));
  // A hash has more digits than a number of JavaScript.
  const share = readdirSync(dataDir).filter((name) => name.startsWith("__consumer_offsets-"));
  const texts = await Promise.all(
    share.map((name) => kstream(["inspect", "group", join(dataDir, name), "--json"])),
  );
  const text = texts.map(({ stdout }) => stdout).join("");
  expect(text).toMatch(/"metadataHash":-?\d{15,}[,}]/);
}, 60_000);

test("snapshots of metadata: ours and Kafka's", async () => {
  const ours = join(scratch, "metadata.checkpoint");
  const record = { type: "feature", version: 1, name: "group.version", level: 1 } as const;
  const bytes = encodeSnapshot(42, Array.from({ length: 1500 }, () => record), 0);
  writeFileSync(ours, bytes);
  const shown = await lines("metadata", ours);
  expect(shown[0]).toMatchObject({ type: "snapshot", position: 42, records: 1500 });
  expect(shown).toHaveLength(1501);
  expect(shown.at(-1)).toMatchObject(record);
  truncateSync(ours, bytes.length - 1);
  const cut = await kstream(["inspect", "metadata", ours, "--json"]);
  expect([cut.exitCode, cut.stdout.trimEnd().split("\n").length]).toEqual([1, 1001]);
}, 60_000);

test("damage is named by its position, and what is left is shown", async () => {
  const damaged = join(scratch, "00000000000000000000.log");
  const [, second] = await lines("segment", segment(".log"));
  copyFileSync(segment(".log"), damaged);
  const file = openSync(damaged, "r+");
  writeSync(file, "!", Number(second?.["position"]) + 70);
  closeSync(file);
  const { exitCode, stdout, stderr } = await kstream(["inspect", "segment", damaged, "--json"]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`at byte ${second?.["position"]}`);
  expect((await parsed("segment", stdout)).at(-1)).toMatchObject({ control: "abort" });

  const keyIndex = join(scratch, "00000000000000000000.keyindex");
  copyFileSync(join(dataDir, "keyed-0/00000000000000000000.keyindex"), keyIndex);
  const hashes = openSync(keyIndex, "r+");
  writeSync(hashes, "!", 100);
  closeSync(hashes);
  const changed = await kstream(["inspect", "keyindex", keyIndex]);
  expect([changed.exitCode, changed.stderr]).toEqual([
    1,
    expect.stringContaining("at byte 0: the checksum of a run fails"),
  ]);

  const index = join(scratch, "00000000000000000000.index");
  copyFileSync(segment(".index"), index);
  const bytes = openSync(index, "r+");
  writeSync(bytes, new Uint8Array([0, 1, 0, 0, 0x7f, 0, 0, 0]), 0, 8, 8);
  closeSync(bytes);
  const wrong = await kstream(["inspect", "index", index]);
  expect([wrong.exitCode, wrong.stderr]).toEqual([
    1,
    expect.stringContaining("at byte 8: it points to 2130706432, behind the end of the log"),
  ]);
}, 60_000);

const KINDS = [
  "segment",
  "index",
  "timeindex",
  "txnindex",
  "keyindex",
  "snapshot",
  "group",
  "transaction",
];

test("what is no such file is never shown as one, whatever is in it", async () => {
  const foreign: Record<string, Uint8Array | string> = {
    one: new Uint8Array(1),
    text: "some words that are no segment\n".repeat(200),
    random: Bun.gunzipSync(
      Bun.gzipSync(Uint8Array.from({ length: 5000 }, (_, i) => i * 197 + 131)),
    ),
  };
  for (const [name, bytes] of Object.entries(foreign)) writeFileSync(join(scratch, name), bytes);
  for (const kind of [...KINDS, "share", "metadata", "checkpoint"]) {
    for (const name of Object.keys(foreign)) {
      const { exitCode, stderr } = await kstream(["inspect", kind, join(scratch, name)]);
      expect([kind, name, exitCode]).toEqual([kind, name, 1]);
      const said = stderr.trimEnd().split("\n");
      expect(said.at(-1)).toContain("is damaged");
      expect(said.length).toBeLessThan(13);
    }
    await fails(["inspect", kind, join(scratch, "none")], 2, ["none"]);
  }
  await fails(["inspect", "segment", scratch], 2, [scratch]);
  await fails(["inspect", "index", segment(".log")], 2, ["kstream inspect segment"]);
  const other = await kstream(["inspect", "group", segment(".log"), "--json"]);
  expect(other.exitCode).toBe(1);
  expect(other.stderr).toContain('1001 of 1001 records do not decode as kind "group"');
  await parsed("group", other.stdout);
}, 60_000);
