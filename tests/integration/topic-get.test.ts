/** `kstream topic get` against a running broker. */
import { expect, test } from "bun:test";
import { withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

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
