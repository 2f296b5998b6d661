/** `kstream serve`: its flags, what it refuses, and what remains after its end. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess, withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

/** A `serve` that should refuse to start; an empty directory keeps its mistakes apart. */
const serve = (...args: string[]) => ["serve", "--listen", "127.0.0.1:0", ...args];

test("it starts with a screenful: address, data, what an acknowledgement means", async () => {
  await withBroker(async (broker) => {
    await broker.outputHas(/synced to disk/);
    expect(broker.output()).toContain(broker.bootstrap);
    expect(broker.output()).toContain(broker.dataDir);
    await ok(["topic", "list"], { brokers: broker.bootstrap });
  });
});

test("the durability asked for is the one announced and described", async () => {
  await withBroker(async (broker) => {
    await broker.outputHas(/not power loss/);
    const at = { brokers: broker.bootstrap };
    await ok(["topic", "create", "fast"], at);
    await ok(["topic", "create", "safe", "-c", "kstream.durability=fsync"], at);
    const durabilityOf = async (topic: string) =>
      JSON.parse(await ok(["topic", "describe", topic, "--json"], at))[0].durability;
    expect(await durabilityOf("fast")).toBe("os");
    expect(await durabilityOf("safe")).toBe("fsync");
    const described = await ok(["topic", "describe", "safe"], at);
    expect(described).toMatch(/durability +fsync: acknowledged/);
  }, { args: ["--durability", "os"] });
});

test("topics are there when it is ready", async () => {
  await withBroker(async (broker) => {
    const at = { brokers: broker.bootstrap };
    expect(await ok(["topic", "list"], at)).toMatch(/^orders +3 /m);
    const [topic] = JSON.parse(await ok(["topic", "describe", "orders", "--json"], at));
    expect(topic.configs).toEqual([
      { name: "cleanup.policy", value: "compact,delete", source: "topic" },
      { name: "retention.ms", value: "1000", source: "topic" },
    ]);
  }, {
    args: [
      "--topic",
      "orders:3:retention.ms=1000:cleanup.policy=compact,delete",
      "--topic",
      "plain",
    ],
  });
});

test("SIGTERM and SIGINT end it with 0, and a restart has everything still", async () => {
  const dataDir = join(freshDir("data"), "deep", "data");
  const first = await startBrokerProcess({ dataDir, args: ["--topic", "kept:2"] });
  const before = { brokers: first.bootstrap };
  await ok(["produce", "kept", "-p", "1"], { ...before, input: "a\nb\nc\n" });
  expect(await ok(["consume", "kept", "-g", "team", "-n", "2"], before)).toBe("a\nb\n");
  expect(await first.stop("SIGTERM")).toBe(0);

  const second = await startBrokerProcess({ dataDir, args: ["--topic", "kept:2"] });
  const after = { brokers: second.bootstrap };
  expect(await ok(["topic", "list"], after)).toMatch(/^kept +2 /m);
  expect(await ok(["consume", "kept", "-e"], after)).toBe("a\nb\nc\n");
  expect(await ok(["consume", "kept", "-g", "team", "-e"], after)).toBe("c\n");
  expect(await second.stop("SIGINT")).toBe(0);
});

test("kill -9 loses nothing that was acknowledged", async () => {
  const dataDir = join(freshDir("killed"), "data");
  const first = await startBrokerProcess({ dataDir });
  await ok(["produce", "t"], { brokers: first.bootstrap, input: "a\nb\n" });
  await first.stop("SIGKILL");
  const second = await startBrokerProcess({ dataDir });
  expect(await ok(["consume", "t", "-e"], { brokers: second.bootstrap })).toBe("a\nb\n");
  expect(await second.stop()).toBe(0);
});

test("--memory leaves nothing on disk, and says so", async () => {
  const cwd = freshDir("memory");
  const broker = await startBrokerProcess({ dataDir: join(cwd, "data"), args: ["--memory"] });
  const at = { brokers: broker.bootstrap };
  await ok(["topic", "create", "t", "-c", "kstream.durability=fsync"], at);
  expect(await ok(["topic", "describe", "t"], at)).toMatch(
    /durability +memory: nothing is on disk/,
  );
  expect(await broker.stop()).toBe(0);
  expect(existsSync(join(cwd, "data"))).toBe(false);
});

test("--print-addr json has stdout for itself", async () => {
  const child = Bun.spawn([KSTREAM, ...serve("--memory", "--print-addr", "json")], {
    cwd: freshDir("print-addr"),
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const printed = JSON.parse(new TextDecoder().decode(value));
  expect(printed).toEqual({
    addresses: [{ listener: "PLAINTEXT", host: "127.0.0.1", port: expect.any(Number) }],
    admin: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
  });
  await ok(["topic", "list"], { brokers: `127.0.0.1:${printed.addresses[0].port}` });
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect((await reader.read()).done).toBe(true);
});

test("broker configs: --set over --config over [broker], flags over environment", async () => {
  const cwd = freshDir("configs");
  const toml = join(cwd, "kstream.toml");
  writeFileSync(toml, '[broker]\nnum.partitions = 2\n"log.retention.ms" = 5\n');
  const properties = join(cwd, "server.properties");
  const partitionsOf = async (args: string[], env: Record<string, string>) => {
    const broker = await startBrokerProcess({ args: ["--memory", ...args], env });
    const at = { brokers: broker.bootstrap };
    await ok(["topic", "create", "t"], at);
    const [topic] = JSON.parse(await ok(["topic", "describe", "t", "--json"], at));
    expect(await broker.stop()).toBe(0);
    return topic.partitions.length;
  };
  const env = { KSTREAM_TOML: toml };
  expect(await partitionsOf([], env)).toBe(2);
  writeFileSync(properties, "# comment\nnum.partitions=3\n");
  expect(await partitionsOf(["--config", properties], env)).toBe(3);
  const withSet = { ...env, KSTREAM_SET: "num.partitions=4" };
  expect(await partitionsOf(["--config", properties], withSet)).toBe(4);
  const both = ["--config", properties, "--set", "num.partitions=5"];
  expect(await partitionsOf(both, withSet)).toBe(5);
});

test("several listeners each announce and serve their own address", async () => {
  await withBroker(async (broker) => {
    const ports = [...broker.output().matchAll(/[A-Z]+ 127\.0\.0\.1:(\d+)$/gm)]
      .map(([, port]) => port);
    expect(ports.length).toBe(2);
    for (const port of ports) await ok(["topic", "list"], { brokers: `127.0.0.1:${port}` });
  }, { args: ["--listen", "SECOND=127.0.0.1:0"] });
});

test("what cannot work is refused with a sentence", async () => {
  const cwd = freshDir("refused");
  const at = { cwd };
  await fails(serve("--set", "log.retenton.ms=1"), 2, ["log.retention.ms"], at);
  await fails(serve("--set", "num.partitions=x"), 2, ["num.partitions"], at);
  await fails(serve("--set", "novalue"), 2, ["name=value"], at);
  await fails(serve("--topic", "a:x"), 2, ["--topic", "a:x"], at);
  await fails(serve("--topic", "a:1:retenton.ms=1"), 1, ["retention.ms"], at);
  await fails(serve("--topic", "a/b"), 1, ["a/b"], at);
  await fails(serve("--config", "none.properties"), 2, ["none.properties"], at);
  await fails(["serve", "--listen", "0.0.0.0:0"], 2, ["--insecure"], at);
  await fails(["serve", "--listen", "nonsense:x:y"], 2, ["nonsense:x:y"], at);
  writeFileSync(join(cwd, "file"), "");
  await fails(serve("--data", "file"), 1, ["file"], at);
  await fails(serve("--data", "file/below"), 1, ["file/below"], at);
});

test("a port in use and a locked or newer data directory are refused", async () => {
  const dataDir = join(freshDir("locked"), "data");
  const broker = await startBrokerProcess({ dataDir });
  await fails(serve("--data", dataDir), 1, ["another process"]);
  await fails(["serve", "--memory", "--listen", broker.bootstrap], 1, ["in use"]);
  expect(await broker.stop()).toBe(0);
  const path = join(dataDir, "meta.properties");
  const text = readFileSync(path, "utf8");
  expect(text).toMatch(/^version=\d+$/m);
  writeFileSync(path, text.replace(/^version=\d+$/m, "version=99"));
  await fails(serve("--data", dataDir), 1, ["99", "newer"]);
});

test("--insecure lets it listen everywhere", async () => {
  const broker = await startBrokerProcess({
    args: ["--memory", "--insecure", "--listen", "WIDE=0.0.0.0:0"],
  });
  await broker.outputHas(/bound to 0\.0\.0\.0:/);
  expect(await broker.stop()).toBe(0);
});
