/** What shards are started with, what they are told, and which data directories are theirs. */
import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { MemoryDisk } from "../../../core/io/memory-disk.ts";
import type { ServeOptions } from "../../serve.ts";
import { parseConfig } from "../config-texts.ts";
import { Parent } from "../parent.ts";
import { shardsBanner, shardsJson } from "./announce-shards.ts";
import { formatHandover, parseHandover, receiveHandover } from "./handover.ts";
import { checkLayout, refuseShards } from "./layout.ts";
import { planShards, withPorts } from "./plan.ts";

const NONE: ServeOptions = {
  ...{ listen: [], advertise: [], topic: [], set: [], join: [] },
  logLevel: "info",
  logFormat: "text",
};

function plan(options: Partial<ServeOptions>, configs: [string, string][] = [], shards = 3) {
  const texts = new Map([["log.dirs", "/a,/b"], ...configs]);
  const config = parseConfig(texts);
  return planShards({ options: { ...NONE, ...options }, texts, config, shards, firstNodeId: 5 });
}

test("ids, ports and directories count up; what is for the supervisor stays there", () => {
  const plans = plan({
    listen: ["IN=127.0.0.1:9092", "OUT=10.0.0.1:9192"],
    advertise: ["OUT=broker:80"],
    admin: "127.0.0.1:7000",
    topic: ["orders"],
    readyFile: "ready",
    set: ["num.partitions=2"],
    insecure: true,
  }, [["num.partitions", "2"], ["listeners", "PLAINTEXT://:1"]]);
  expect(plans.map(({ name }) => name)).toEqual(["shard-0", "shard-1", "shard-2"]);
  const [, second] = plans;
  expect(second).toMatchObject({ nodeId: 6, dirs: ["/a/shard-1", "/b/shard-1"] });
  expect(second?.options).toMatchObject({
    listen: ["IN=127.0.0.1:9093", "OUT=10.0.0.1:9193"],
    advertise: ["OUT=broker:81"],
    admin: "127.0.0.1:7001",
    topic: [],
    set: [],
    insecure: true,
  });
  expect(second?.options.readyFile).toBeUndefined();
  expect(Object.fromEntries(second?.configs ?? [])).toEqual({
    "node.id": "6",
    "kstream.shards": "3",
    "log.dirs": "/a/shard-1,/b/shard-1",
    "num.partitions": "2",
  });
});

test("any port stays any until it is chosen, and is kept then", () => {
  const [first, second] = plan({ listen: ["127.0.0.1:0"] });
  expect(first?.options.admin).toBeUndefined();
  expect(second?.options).toMatchObject({
    listen: ["PLAINTEXT=127.0.0.1:0"],
    admin: "127.0.0.1:0",
  });
  const at = {
    addresses: [{ listener: "PLAINTEXT", host: "127.0.0.1", port: 1234 }],
    admin: "http://127.0.0.1:99",
  };
  expect(withPorts({ ...NONE, ...second?.options }, at)).toMatchObject({
    listen: ["PLAINTEXT=127.0.0.1:1234"],
    admin: "http://127.0.0.1:99",
  });
  const off = plan({ admin: "off" });
  expect(off.map(({ options }) => options.admin)).toEqual(["off", "off", "off"]);
});

test("members of a cluster gossip on ports in a row, and know one another", () => {
  const [first, second] = plan(
    {
      listen: ["10.0.0.5:9092"],
      ...{
        cluster: "c",
        metadata: "etcd://h",
        join: ["10.0.0.6"],
        host: "m",
        secretFile: "secret",
      },
    },
    [],
    2,
  );
  expect(first?.options).toMatchObject({
    gossipPort: "19092",
    join: ["10.0.0.6", "10.0.0.5:19093"],
    ...{ cluster: "c", metadata: "etcd://h", host: "m", secretFile: "secret" },
  });
  expect(second?.options).toMatchObject({
    gossipPort: "19093",
    join: ["10.0.0.6", "10.0.0.5:19092"],
  });
});

test("addresses that two shards would share are refused", () => {
  expect(() => plan({ listen: ["A=127.0.0.1:9092", "B=127.0.0.1:9094"] })).toThrow("A of shard-2");
  expect(() => plan({ listen: ["127.0.0.1:9092"], admin: "127.0.0.1:9093" })).toThrow("admin API");
  expect(() => plan({ listen: ["127.0.0.1:65534"] })).toThrow("no port for shard-2");
});

test("a shard reads what its supervisor writes, and knows when that is gone", async () => {
  const [first] = plan({ listen: ["127.0.0.1:0"], timings: "lan", insecure: true });
  if (first === undefined) throw new Error("there is no shard");
  const controller = { nodeId: 9, term: 3, address: { host: "127.0.0.1", port: 7 } };
  const cluster = { clusterId: "id", controller, secret: "a secret", listener: "PLAINTEXT" };
  const { name, options, configs } = first;
  const handover = { name, options, configs, cluster };
  // What is undefined is left out.
  const said = JSON.parse(JSON.stringify(handover));
  expect(JSON.parse(JSON.stringify(parseHandover(formatHandover(handover))))).toEqual(said);
  const input = new PassThrough();
  const parent = new Parent(input);
  const line = formatHandover(handover);
  input.write(line.slice(0, 10));
  input.write(line.slice(10));
  const received = await receiveHandover(parent);
  expect(received.configs.get("node.id")).toBe("5");
  expect(received.cluster).toMatchObject({
    quorum: { kind: "fixed", clusterId: "id", controller },
    secrets: ["a secret"],
  });
  expect(parent.gone.aborted).toBe(false);
  input.end();
  await parent.whenGone();
  const orphan = new Parent(new PassThrough().end());
  await expect(orphan.firstLine).rejects.toThrow("is gone");
});

test("what is sent without an end is no line, and harms nobody who does not wait for one", async () => {
  const input = new PassThrough();
  const parent = new Parent(input);
  for (let nth = 0; nth < 30; nth++) input.write(Buffer.alloc(100_000, "x"));
  await expect(parent.firstLine).rejects.toThrow("a line of over 1048576 bytes");
  expect(parent.gone.aborted).toBe(false);
  input.end("\n");
  await parent.whenGone();
});

test("data of one broker, of more shards and of another kind of cluster are left alone", () => {
  const disk = (...dirs: string[]) => {
    const memory = new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 20 });
    for (const dir of dirs) {
      memory.makeDir(dir);
      memory.open(`${dir}/meta.properties`, "create").close();
    }
    return memory;
  };
  const two = disk("/d/shard-0", "/d/shard-1", "/d/controller");
  checkLayout(disk(), ["/d"], 2, true);
  checkLayout(two, ["/d"], 2, true);
  checkLayout(two, ["/d"], 3, true);
  expect(() => checkLayout(two, ["/d"], 1, true)).toThrow("say --shards 2");
  expect(() => checkLayout(two, ["/d"], 2, false)).toThrow("without --cluster");
  expect(() => checkLayout(disk("/d/shard-0"), ["/d"], 2, true)).toThrow("in etcd");
  expect(() => checkLayout(disk("/d"), ["/d"], 2, true)).toThrow("leave out --shards");
  expect(() => refuseShards(two, "/d")).toThrow("--shards 2");
  refuseShards(disk("/d"), "/d");
  refuseShards(disk(), "/d");
});

test("all shards are told of together", () => {
  const at = (port: number, admin: string | null) => ({
    addresses: [{ listener: "PLAINTEXT", host: "127.0.0.1", port }],
    admin,
  });
  const shards = [
    { nodeId: 1, process: { name: "shard-0", pid: 10 }, at: at(9092, "http://127.0.0.1:8080") },
    { nodeId: 2, process: { name: "shard-1", pid: 11 }, at: at(9093, null) },
  ];
  const text = shardsBanner("1", parseConfig(new Map([["log.dir", "/d"]])), shards);
  expect(text).toContain("from 2 shards");
  expect(text).toContain("shard-0         127.0.0.1:9092, admin http://127.0.0.1:8080, process 10");
  expect(text).toContain("power loss");
  expect(JSON.parse(shardsJson(shards))).toMatchObject({
    addresses: [{ port: 9092 }, { port: 9093 }],
    admin: "http://127.0.0.1:8080",
    shards: [{ name: "shard-0", nodeId: 1, pid: 10 }, { name: "shard-1", admin: null }],
  });
});
