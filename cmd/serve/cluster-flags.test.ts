/** The flags of a member of a cluster. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { type ListenerSpec, listenerSpecs } from "../../broker/listeners.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { createLogger, silentLogger } from "../../core/logger.ts";
import { loadMetaProperties } from "../../storage/meta-properties.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import {
  type ClusterFlags,
  isMember,
  nodeIdOnDisk,
  parseNodeId,
  presetTimes,
} from "./cluster-flags.ts";
import { clusterOptions, gossipPortFor, memberListeners } from "./cluster-member.ts";

const dir = mkdtempSync(join(tmpdir(), "kstream-cluster-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const SECRET = "0123456789abcdef";
const FLAGS: ClusterFlags = { cluster: "c", metadata: "etcd://127.0.0.1:2379", join: [] };
const HERE = memberListeners(listenerSpecs(["127.0.0.1:9092"], []), []);

const optionsOf = (flags: Partial<ClusterFlags>, listeners: readonly ListenerSpec[] = HERE) =>
  clusterOptions({ ...FLAGS, ...flags }, {
    logger: silentLogger,
    version: "1.2.3",
    listeners,
    config: BrokerConfig.of(),
    tls: null,
  });

/** The message of the refusal. */
async function refusal(flags: Partial<ClusterFlags>, listeners = HERE): Promise<string> {
  return await optionsOf(flags, listeners).then(
    () => "taken",
    (error: unknown) => error instanceof Error ? error.message : String(error),
  );
}

test("a member on loopback needs a name, etcd and nothing else", async () => {
  expect(isMember(FLAGS)).toBe(true);
  const options = await optionsOf({});
  expect(options).toMatchObject({ name: "c", secrets: [] });
  expect(options.host).not.toBe("");
  expect(options.gossip).toMatchObject({
    bind: { host: "127.0.0.1", port: 19_092 },
    advertise: { host: "127.0.0.1", port: 19_092 },
    join: [],
    version: "1.2.3",
  });
  expect(options.gossip?.loadPercent()).toBeGreaterThanOrEqual(0);
});

test("gossip has the listener's port and 10000, or what is asked for", async () => {
  expect([9092, 0, 60_000, 55_535].map(gossipPortFor)).toEqual([19_092, 0, 50_000, 65_535]);
  const options = await optionsOf({
    gossipPort: "7000",
    join: ["a,10.0.0.6:1", "[::1]:2", "b:3"],
    host: "machine",
  });
  expect(options.host).toBe("machine");
  expect(options.gossip?.bind).toEqual({ host: "127.0.0.1", port: 7000 });
  expect(options.gossip?.join).toEqual([
    { host: "a", port: 19_092 },
    { host: "10.0.0.6", port: 1 },
    { host: "::1", port: 2 },
    { host: "b", port: 3 },
  ]);
  expect(await refusal({ gossipPort: "70000" })).toContain("--gossip-port cannot be");
  for (const bad of ["", "a:b", "a:0", "a:70000", "::1", "a b:1", "a,"]) {
    expect([bad, await refusal({ join: [bad] })]).toEqual([
      bad,
      expect.stringContaining("--join cannot be read"),
    ]);
  }
});

test("lan shortens sessions, the lease in etcd and gossip; what is set wins", async () => {
  expect((await optionsOf({})).quorum).not.toHaveProperty("leaseTtlMs");
  const options = await optionsOf({ timings: "lan" });
  expect(options.quorum).toMatchObject({ kind: "etcd", leaseTtlMs: 2000 });
  expect(options.gossip?.timings).toBe("lan");
  const preset = (timings: "default" | "lan", set: [string, string][]) => {
    const texts = new Map(set);
    presetTimes(timings, texts);
    return Object.fromEntries(texts);
  };
  const [session, heartbeat] = ["broker.session.timeout.ms", "broker.heartbeat.interval.ms"];
  expect(preset("default", [])).toEqual({});
  expect(preset("lan", [])).toEqual({ [session]: "3000", [heartbeat]: "600" });
  expect(preset("lan", [[session, "5000"]])).toEqual({ [session]: "5000", [heartbeat]: "600" });
  expect(() => isMember({ join: [], timings: "lan" })).toThrow("--timings is for members");
});

test("gossip is told by address where the listener is advertised by name", async () => {
  const named = memberListeners(listenerSpecs(["127.0.0.1:9092"], ["localhost:9092"]), []);
  expect((await optionsOf({}, named)).gossip?.advertise.host).toBe("127.0.0.1");
  const nowhere = memberListeners(listenerSpecs(["127.0.0.1:9092"], ["no.such.invalid:9092"]), []);
  expect(await refusal({}, nowhere)).toContain("the address of no.such.invalid cannot be found");
});

test("brokers meet, and gossip, on the first listener or the one that is named", async () => {
  const specs = listenerSpecs(["OUT=127.0.0.1:9092", "IN=127.0.0.1:9093"], []);
  const listeners = memberListeners(specs, []);
  const between = (configs: Parameters<typeof BrokerConfig.of>[0]) =>
    clusterOptions(FLAGS, {
      logger: silentLogger,
      version: "1",
      listeners: listeners.map((each) => each.name === "IN" ? { ...each, protocol: "SSL" } : each),
      config: BrokerConfig.of(configs),
      tls: null,
    });
  expect((await between({})).interBrokerListener).toBe("OUT");
  const bySsl = await between({ "security.inter.broker.protocol": "SSL" });
  expect(bySsl.interBrokerListener).toBe("IN");
  const named = await between({ "inter.broker.listener.name": "in" });
  expect([named.interBrokerListener, named.gossip?.bind.port]).toEqual(["IN", 19_093]);
  await expect(between({ "inter.broker.listener.name": "NONE" }))
    .rejects.toThrow("cannot meet on the listener NONE");
  await expect(between({ "security.inter.broker.protocol": "SASL_SSL" }))
    .rejects.toThrow("cannot meet on the listener with SASL_SSL: none has this protocol");
});

test("the secret is in a file or a variable, with old ones behind it", async () => {
  const file = join(dir, "secret");
  writeFileSync(file, `# of the shop\n${SECRET}\n\n  ${SECRET}-old  \r\n`, { mode: 0o600 });
  expect((await optionsOf({ secretFile: file })).secrets).toEqual([SECRET, `${SECRET}-old`]);
  expect((await optionsOf({ clusterSecret: SECRET })).secrets).toEqual([SECRET]);
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    format: "text",
    wallMs: () => 0,
    write: (line) => lines.push(line),
  });
  const surroundings = {
    logger,
    version: "1",
    listeners: HERE,
    config: BrokerConfig.of(),
    tls: null,
  };
  await clusterOptions({ ...FLAGS, secretFile: file }, surroundings);
  expect(lines).toEqual([]);
  chmodSync(file, 0o644);
  await clusterOptions({ ...FLAGS, secretFile: file }, surroundings);
  expect(lines.join()).toContain("others can read the file of the cluster's secret");
  const empty = join(dir, "empty");
  writeFileSync(empty, "# nothing\n");
  expect(await refusal({ secretFile: empty })).toContain("the cluster's secret is empty");
  expect(await refusal({ clusterSecret: "" })).toContain("the cluster's secret is empty");
  expect(await refusal({ clusterSecret: "short" })).toContain("shorter than 16");
  expect(await refusal({ secretFile: join(dir, "none") })).toContain("check --secret-file");
  expect(await refusal({ secretFile: file, clusterSecret: SECRET })).toContain("given twice");
});

test("beyond loopback there is no cluster without a secret", async () => {
  const open = memberListeners(listenerSpecs(["0.0.0.0:9092"], ["10.0.0.5:9092"]), []);
  expect(await refusal({}, open)).toContain("a cluster across hosts needs a secret");
  const { gossip } = await optionsOf({ clusterSecret: SECRET }, open);
  expect(gossip?.bind.host).toBe("0.0.0.0");
  expect(gossip?.advertise.host).toBe("10.0.0.5");
});

test("etcd is needed, and its password is not shown", async () => {
  expect(await refusal({ metadata: undefined })).toContain("has no place for its metadata");
  const bad = await refusal({ metadata: "etcd://me:hidden@:x" });
  expect(bad).toContain("cannot use the address of etcd");
  expect(bad).not.toContain("hidden");
  expect(await refusal({ metadata: `etcd://h?ca=${join(dir, "none.pem")}` })).toContain(
    "check --metadata",
  );
});

test("an address that the others cannot reach is refused", () => {
  const of = (listen: string, advertise: readonly string[], joined: readonly string[]) => () =>
    memberListeners(listenerSpecs([listen], advertise), joined);
  expect(of("0.0.0.0:9092", [], [])).toThrow("listens on every address");
  expect(of("[::]:9092", [], [])).toThrow("listens on every address");
  expect(of("0.0.0.0:9092", ["localhost:9092"], [])).toThrow("is reached on this host alone");
  expect(of("127.0.0.1:9092", [], ["10.0.0.6:19092"])).toThrow("a member at 10.0.0.6:19092");
  expect(of("127.0.0.1:9092", [], ["127.0.0.1:19093"])()).toEqual([{
    name: "PLAINTEXT",
    bind: { host: "127.0.0.1", port: 9092 },
    advertised: { host: "127.0.0.1", port: 9092 },
  }]);
  expect(of("10.0.0.5:0", [], ["10.0.0.6:1"])()[0]?.advertised).toEqual({
    host: "10.0.0.5",
    port: 0,
  });
});

test("flags of members alone, and what no member can have, are refused", () => {
  expect(isMember({ join: [] })).toBe(false);
  expect(isMember({ join: [], nodeId: "2" })).toBe(false);
  expect(() => isMember({ join: ["a"] })).toThrow("--join is for members of a cluster");
  expect(() => isMember({ join: [], metadata: "x" })).toThrow("--metadata is for members");
  expect(() => isMember({ join: [], gossipPort: "1" })).toThrow("--gossip-port is for members");
  expect(() => isMember({ join: [], clusterSecret: "s" })).toThrow("--cluster-secret is for");
  expect(() => isMember({ ...FLAGS, memory: true })).toThrow("cannot keep everything in memory");
});

test("a member's number is given, or on its disk", async () => {
  expect(parseNodeId(undefined)).toBeNull();
  expect(parseNodeId("0")).toBe(0);
  for (const bad of ["", "-1", "1.5", "x", "2147483648"]) {
    expect(() => parseNodeId(bad)).toThrow("--node-id cannot be");
  }
  const disk = new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 20 });
  disk.makeDir("/data");
  expect(() => nodeIdOnDisk(disk, ["/data"])).toThrow("has no node id");
  await loadMetaProperties({ disk, random: new SimRandom(1) }, { path: "/data", nodeId: 7 });
  expect(nodeIdOnDisk(disk, ["/none", "/data"])).toBe(7);
});

test("nodes that know one another by certificates need no secret, but names", async () => {
  const open = memberListeners(listenerSpecs(["10.0.0.5:9092"], []), []);
  const tls = { options: () => ({}), isMutual: true, principal: "User:CN=node" };
  const mutual = (superUsers: string, flags: Partial<ClusterFlags> = {}) =>
    clusterOptions({ ...FLAGS, ...flags }, {
      logger: silentLogger,
      version: "1",
      listeners: open,
      config: BrokerConfig.of({ "super.users": superUsers }),
      tls,
    });
  const options = await mutual("User:admin;User:CN=node");
  expect(options).toMatchObject({ secrets: [], believesCertificates: true, gossip: null });
  const both = await mutual("User:CN=node", { clusterSecret: SECRET, join: ["10.0.0.6:1"] });
  expect(both.gossip?.join).toEqual([{ host: "10.0.0.6", port: 1 }]);
  await expect(mutual("User:CN=other")).rejects.toThrow(
    "the other nodes would not take this one for a node: its certificate is User:CN=node",
  );
  await expect(mutual("User:CN=node", { join: ["10.0.0.6:1"] }))
    .rejects.toThrow("--join needs the cluster's secret");
});
