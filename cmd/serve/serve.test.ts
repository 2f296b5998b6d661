/** What `serve` makes of its flags and files. The binary itself is driven by the integration tests. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseAdminAddress } from "./admin-address.ts";
import { addressJson, banner, writeReadyFile } from "./announce.ts";
import {
  chooseListeners,
  type ConfigSources,
  configTexts,
  dataDirsOf,
  parseConfig,
} from "./config-texts.ts";
import { parseProperties } from "./properties.ts";
import { parseTopicSpec } from "./topic-spec.ts";

const dir = mkdtempSync(join(tmpdir(), "kstream-serve-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("properties are read as Java reads them", () => {
  const text = "# comment\n! another\n\nplain=1\n  spaced : two words \ncolon:3\nblank 4\n" +
    "long=a,\\\n    b,\\\n    c\nescaped\\=name=x\\ty\\u0041\\\\\nempty=\nonly\nplain=last\n";
  expect(Object.fromEntries(parseProperties(text))).toEqual({
    "plain": "last",
    "spaced": "two words ",
    "colon": "3",
    "blank": "4",
    "long": "a,b,c",
    "escaped=name": "x\tyA\\",
    "empty": "",
    "only": "",
  });
});

test("topics are read from their short form", () => {
  const bare = { replicationFactor: -1, assignments: [], configs: [] };
  expect(parseTopicSpec("a")).toEqual({ ...bare, name: "a", numPartitions: -1 });
  expect(parseTopicSpec("a:3")).toEqual({ ...bare, name: "a", numPartitions: 3 });
  expect(parseTopicSpec("a::retention.ms=1:cleanup.policy=compact,delete")).toEqual({
    ...bare,
    name: "a",
    numPartitions: -1,
    configs: [
      { name: "retention.ms", value: "1" },
      { name: "cleanup.policy", value: "compact,delete" },
    ],
  });
  for (const text of ["", ":3", "a:0", "a:x", "a:1:b", "a:1:=b"]) {
    expect(() => parseTopicSpec(text)).toThrow("--topic cannot be read");
  }
});

const NOTHING: ConfigSources = { table: {}, file: null, durability: null, memory: false, set: [] };

test("--set wins over --config, that over [broker]", () => {
  const file = join(dir, "server.properties");
  writeFileSync(file, "log.retention.ms=2\nnum.partitions=2\nlog.segment.bytes=2\n");
  const texts = configTexts({
    table: { "log.retention.ms": 1, log: { "index.size.max.bytes": 1 }, num: { partitions: 1 } },
    file,
    durability: "os",
    memory: true,
    set: ["log.segment.bytes=3", "log.retention.ms = 4"],
  });
  expect(Object.fromEntries(texts)).toEqual({
    "log.retention.ms": "4",
    "log.index.size.max.bytes": "1",
    "num.partitions": "2",
    "log.segment.bytes": "3",
    "kstream.durability": "os",
    "kstream.storage": "memory",
  });
});

test("the data directories are those of --data, else of log.dirs, else of log.dir", () => {
  const dirsWith = (sources: Partial<ConfigSources>) =>
    dataDirsOf(parseConfig(configTexts({ ...NOTHING, ...sources })));
  expect(dirsWith({})).toEqual([resolve("data")]);
  expect(dirsWith({ set: ["log.dir=/a"] })).toEqual(["/a"]);
  expect(dirsWith({ set: ["log.dir=/a", "log.dirs=/b,c"] })).toEqual(["/b", resolve("c")]);
  expect(dirsWith({ set: ["log.dirs=/b,/c"], data: "/d" })).toEqual(["/d"]);
});

test("what cannot be meant is refused in words", () => {
  expect(() => configTexts({ ...NOTHING, set: ["x"] })).toThrow("--set cannot be read");
  expect(() => configTexts({ ...NOTHING, file: join(dir, "none") })).toThrow("cannot read");
  expect(() => parseConfig(new Map([["log.retention.mss", "1"]])))
    .toThrow("did you mean log.retention.ms?");
  expect(() => parseConfig(new Map([["num.partitions", "x"]]))).toThrow("num.partitions");
});

test("listeners come from the flags, else from the configs, without a controller's", () => {
  const config = parseConfig(
    new Map([
      ["listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"],
      ["advertised.listeners", "PLAINTEXT://broker:9092"],
    ]),
  );
  expect(chooseListeners({ listen: [], advertise: [] }, config)).toEqual([{
    name: "PLAINTEXT",
    bind: { host: "0.0.0.0", port: 9092 },
    advertised: { host: "broker", port: 9092 },
  }]);
  const [flagged] = chooseListeners({ listen: ["127.0.0.1:1"], advertise: [] }, config);
  expect(flagged?.bind).toEqual({ host: "127.0.0.1", port: 1 });
  expect(chooseListeners({ listen: [], advertise: [] }, parseConfig(new Map()))[0]?.bind)
    .toEqual({ host: "127.0.0.1", port: 9092 });
});

test("a listener that is to be secured is refused, not served in plain text", () => {
  const none = { listen: [], advertise: [] };
  const of = (...texts: [string, string][]) => parseConfig(new Map(texts));
  const [ssl] = chooseListeners(none, of(["listeners", "SSL://127.0.0.1:9093"]));
  expect(ssl).toMatchObject({ name: "SSL", protocol: "SSL" });
  const [flagged] = chooseListeners({ ...none, listen: ["127.0.0.1:1"], tlsCert: "x" }, of());
  expect(flagged).toMatchObject({ name: "SSL", protocol: "SSL" });
  const mapped = of(["listener.security.protocol.map", "IN:PLAINTEXT, OUT:SASL_SSL"]);
  expect(chooseListeners({ ...none, listen: ["IN=127.0.0.1:1"] }, mapped)[0]?.name).toBe("IN");
  expect(() => chooseListeners({ ...none, listen: ["OUT=127.0.0.1:1"] }, mapped)).toThrow(
    "the listener OUT wants SASL_SSL",
  );
});

test("the addresses told are ones that a client can connect to", () => {
  const listeners = [
    { name: "IN", bound: { host: "0.0.0.0", port: 1 }, advertised: null },
    { name: "OUT", bound: { host: "::", port: 2 }, advertised: { host: "broker", port: 0 } },
    { name: "SIX", bound: { host: "::", port: 3 }, advertised: null },
  ];
  const admin = { host: "0.0.0.0", port: 8080, isTls: false };
  expect(JSON.parse(addressJson(listeners, admin))).toEqual({
    addresses: [
      { listener: "IN", host: "127.0.0.1", port: 1 },
      { listener: "OUT", host: "broker", port: 2 },
      { listener: "SIX", host: "::1", port: 3 },
    ],
    admin: "http://127.0.0.1:8080",
  });
  const path = join(dir, "ready");
  writeReadyFile(path, listeners, null);
  expect(readFileSync(path, "utf8")).toBe("127.0.0.1:1\nbroker:2\n[::1]:3\n");
  writeReadyFile(path, listeners, admin);
  expect(readFileSync(path, "utf8").split("\n").at(-2)).toBe("http://127.0.0.1:8080");
  expect(() => writeReadyFile(join(dir, "none", "ready"), listeners, null)).toThrow("--ready-file");
  const text = banner({ version: "1", listeners, admin, dataDir: "data", durable: "fsync" });
  expect(text).toContain("power loss");
  expect(text).toContain("broker:2");
  expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
});

test("the admin address is read in every form that people write, and off is off", () => {
  expect(parseAdminAddress(null)).toBe("default");
  expect(parseAdminAddress("off")).toBe("off");
  for (const text of ["8081", ":8081", "127.0.0.1:8081", "http://127.0.0.1:8081/"]) {
    expect(parseAdminAddress(text)).toEqual({ host: "127.0.0.1", port: 8081 });
  }
  expect(parseAdminAddress("[::]:0")).toEqual({ host: "::", port: 0 });
  expect(() => parseAdminAddress("nowhere")).toThrow("--admin cannot be read");
  expect(() => parseAdminAddress("70000")).toThrow("at most 65535");
});
