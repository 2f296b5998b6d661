/** `kstream topic get` against a running broker. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { freshDir, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

test("the latest value of a key is found, and all of its records", async () => {
  await withBroker(async ({ bootstrap }) => {
    const at = { brokers: bootstrap };
    await ok(["topic", "create", "table", "-p", "3"], at);
    const lines = Array.from({ length: 60_000 }, (_, i) => `k${i % 20_000}:v${i}\n`).join("");
    await ok(["produce", "table", "-K", ":", "-z", "lz4"], { ...at, input: `old:1\n${lines}` });
    expect(await ok(["topic", "get", "table", "k7"], at)).toBe("v40007\n");
    expect(await ok(["topic", "get", "table", "old"], at)).toBe("1\n");
    const [byBase64] = JSON.parse(
      await ok(["topic", "get", "table", "azc=", "--base64", "--json"], at),
    );
    expect(byBase64).toMatchObject({ key: "k7", value: "v40007" });
    const history = await ok(["topic", "get", "table", "k7", "--history"], at);
    expect(history.trimEnd().split("\n").map((line) => JSON.parse(line).value)).toEqual([
      "v7",
      "v20007",
      "v40007",
    ]);
    await ok(["produce", "table", "-f", "json"], { ...at, input: '{"key":"k7","value":null}\n' });
    await fails(["topic", "get", "table", "k7"], 1, ["deleted", "offset"], at);
    const [gone] = JSON.parse(await ok(["topic", "get", "table", "k7", "--json"], at));
    expect(gone).toMatchObject({ key: "k7", value: null });

    const elsewhere =
      '{"key":"odd","value":"x","partition":0}\n{"key":"odd","value":"y","partition":1}\n' +
      '{"key":"odd","value":"z","partition":2}\n';
    await ok(["produce", "table", "-f", "json"], { ...at, input: elsewhere });
    const all = JSON.parse(
      await ok(["topic", "get", "table", "odd", "--history", "--all-partitions", "--json"], at),
    );
    expect(all).toHaveLength(3);
    await fails(["topic", "get", "table", "none"], 1, ["no such key", "--all-partitions"], at);
    await fails(["topic", "get", "tabel", "none"], 1, ['did you mean "table"'], at);
  }, { args: ["--memory"] });
});

test("by the index it is the same as by reading, over kill -9 and a damaged index", async () => {
  const dataDir = freshDir("keys");
  const start = () => startBrokerProcess({ dataDir, args: ["--admin", "127.0.0.1:0"] });
  let broker = await start();
  const by = (admin: string | null) => ({
    brokers: broker.bootstrap,
    env: { KSTREAM_ADMIN: admin ?? "off" },
  });
  const all = ["--history", "--all-partitions", "--json"];
  const expectSame = async (keys: readonly string[], ways: readonly string[][]) => {
    for (const args of keys.flatMap((key) => ways.map((way) => [...way, "--", "table", key]))) {
      const [index, read] = await Promise.all(
        [broker.admin, null].map((admin) => kstream(["topic", "get", ...args], by(admin))),
      );
      expect(index).toEqual(read!);
    }
  };
  await ok(["topic", "create", "table", "-p", "2", "-c", "segment.bytes=1048576"], by(null));
  const filler = "x".repeat(200);
  const lines = Array.from({ length: 30_000 }, (_, i) => `k${i % 9000}:${i}${filler}\n`).join("");
  const some = ":empty\na/b?c %:1\nżółw:ó\ngone:1\n";
  await ok(["produce", "table", "-K", ":"], { ...by(null), input: some + lines });
  const odd = [
    { key: "gone", value: null },
    { key: "mine", value: { base64: "/wA=" }, partition: 0, headers: [["h", null], ["h", "é"]] },
    { key: "mine", value: "later", partition: 1 },
  ];
  const input = odd.map((record) => JSON.stringify(record) + "\n").join("");
  await ok(["produce", "table", "-f", "json"], { ...by(null), input });
  await expectSame(["k7", "", "a/b?c %", "żółw", "gone", "none"], [["--json"]]);
  await expectSame(["k7", "gone", "mine"], [all, []]);
  const indexes = () =>
    readdirSync(dataDir, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".keyindex"));
  expect(indexes().length).toBeGreaterThan(3);

  await broker.stop("SIGKILL");
  broker = await start();
  await expectSame(["k7", "gone"], [["--json"], all]);
  await broker.stop();
  for (const name of indexes()) {
    const bytes = readFileSync(`${dataDir}/${name}`);
    if (bytes.length === 0) continue;
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(`${dataDir}/${name}`, bytes);
  }
  broker = await start();
  await expectSame(["k7", "gone"], [["--json"], all]);
  expect(await broker.stop()).toBe(0);
}, 60_000);

test("another cluster's admin API, and none, are no reason to fail", async () => {
  await withBroker(async (mine) => {
    await withBroker(async (other) => {
      for (const admin of [other.admin, "127.0.0.1:1"]) {
        const at = { brokers: mine.bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
        await ok(["produce", "t", "-K", ":"], { ...at, input: "k:mine\n" });
        await ok(["produce", "t", "-K", ":"], { brokers: other.bootstrap, input: "k:other\n" });
        expect(await ok(["topic", "get", "t", "k"], at)).toBe("mine\n");
      }
    }, { args: ["--memory", "--topic", "t", "--admin", "127.0.0.1:0"] });
  }, { args: ["--memory", "--topic", "t", "--admin", "127.0.0.1:0"] });
});
