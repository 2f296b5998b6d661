/** `kstream config`, `kstream acl` and `kstream quota` against a running broker. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

const AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/** Each test runs dozens of commands, on machines that may be busy. */
setDefaultTimeout(60_000);

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  const set = (text: string) => ["--set", text];
  broker = await startBrokerProcess({
    args: [
      "--memory",
      ...set(`authorizer.class.name=${AUTHORIZER}`),
      ...set("super.users=User:root;User:ANONYMOUS"),
    ],
  });
  at = { brokers: broker.bootstrap };
  await ok(["topic", "create", "orders"], at);
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("configs of topics, brokers, groups and client metrics are set, shown and unset", async () => {
  const subjects = [
    ["topic", "orders", "retention.ms=1000", "topic"],
    ["broker", "default", "log.retention.ms=86400000", "broker-default"],
    ["broker", "1", "log.cleaner.backoff.ms=20000", "broker"],
    ["group", "g", "consumer.session.timeout.ms=50000", "group"],
    ["client", "m", "interval.ms=1000", "client"],
  ] as const;
  for (const [type, name, text, source] of subjects) {
    const [config = "", value = ""] = text.split("=");
    await ok(["config", "set", type, name, text, "--validate-only"], at);
    expect(await ok(["config", "get", type, name], at)).not.toContain(config);
    expect(await ok(["config", "set", type, name, text], at)).toContain(`: ${text}\n`);
    expect(await ok(["config", "get", type, name], at))
      .toMatch(new RegExp(`^${config} +${value} +${source}$`, "m"));
    const shown = JSON.parse(await ok(["config", "get", type, name, config, "--json"], at));
    expect(shown).toMatchObject({ type, name, configs: [{ name: config, value, source }] });
    const unset = ["config", "unset", type, name, config];
    expect(JSON.parse(await ok([...unset, "--json"], at)))
      .toEqual({ type, name, changed: true, set: {}, unset: [config] });
    expect(await ok(["config", "get", type, name], at)).not.toContain(config);
  }
  expect(await ok(["config", "get", "group", "g", "--all"], at))
    .toMatch(/^consumer.session.timeout.ms +45000 +default$/m);
});

test("configs that cannot be are refused in one line", async () => {
  const setting = ["config", "set", "group", "g", "consumer.session.timeout.ms=1"];
  await fails(setting, 1, ['configs of group "g"', "INVALID_CONFIG"], at);
  await fails(["config", "get", "topic", "nowhere"], 1, ["nowhere", "does not exist"], at);
  await fails(["config", "get", "topic", "orders", "retention.mss"], 1, ["retention.ms?"], at);
  await fails(["config", "set", "topic", "orders", "retention.ms"], 2, ["config=value"], at);
  await fails(["config", "set", "broker", "one", "a=b"], 2, ['"default" for all'], at);
  await fails(["config", "get", "planet", "earth"], 2, ["planet"], at);
});

test("rules are added, listed, tested and removed", async () => {
  const add = ["acl", "add", "--allow", "User:alice", "-o", "read,write", "--topic", "orders"];
  expect(await ok(add, at)).toBe(
    "allow User:alice to read topic orders\nallow User:alice to write topic orders\n",
  );
  await ok(["acl", "add", "--deny", "User:bob", "-o", "all", "--topic", "o", "--prefix"], at);
  expect(await ok(["acl", "list"], at)).toMatch(/^topic orders +User:alice +allow +read +\*$/m);
  const matching = JSON.parse(
    await ok(["acl", "list", "--topic", "orders", "--match", "--json"], at),
  );
  expect(matching).toHaveLength(3);
  expect(matching).toContainEqual({
    resourceType: "TOPIC",
    resourceName: "o",
    patternType: "PREFIXED",
    principal: "User:bob",
    host: "*",
    operation: "ALL",
    permission: "DENY",
  });

  const may = (principal: string, operation: string, topic = "orders") =>
    kstream(["acl", "test", "-p", principal, "-o", operation, "--topic", topic], at);
  expect((await may("User:alice", "describe")).stdout).toContain("allow User:alice to ");
  expect((await may("User:root", "delete")).stdout).toContain("super.users");
  const verdicts: [string, string, string, string][] = [
    ["User:alice", "delete", "orders", "none of them allows this"],
    ["User:bob", "read", "orders", "deny User:bob to all topic o…"],
    ["User:alice", "read", "zeta", "no rule is about it"],
  ];
  for (const [principal, operation, topic, why] of verdicts) {
    const { exitCode, stderr } = await may(principal, operation, topic);
    expect([exitCode, stderr]).toEqual([1, stderr]);
    expect(stderr).toContain(why);
  }

  const remove = ["acl", "remove", "--principal", "User:alice"];
  expect(await ok([...remove, "--dry-run"], at)).toContain("would remove: allow User:alice");
  expect(JSON.parse(await ok([...remove, "--json"], at))).toHaveLength(2);
  await ok(["acl", "remove", "--all"], at);
  expect(JSON.parse(await ok(["acl", "list", "--json"], at))).toEqual([]);
});

test("rules that say too little or too much are refused", async () => {
  await fails(["acl", "remove"], 2, ["--all"], at);
  await fails(["acl", "add", "-o", "read", "--topic", "t"], 2, ["--allow or --deny"], at);
  await fails(
    ["acl", "add", "--allow", "alice", "-o", "read", "--topic", "t"],
    2,
    ["User:alice"],
    at,
  );
  await fails(["acl", "add", "--allow", "User:a", "-o", "raed", "--topic", "t"], 2, ["read?"], at);
  const both = ["acl", "list", "--topic", "t", "--group", "g"];
  await fails(both, 2, ["one at a time"], at);
});

test("quotas are set, listed and removed", async () => {
  const alice = ["--user", "alice"];
  await ok(["quota", "set", ...alice, "producer_byte_rate=1000", "request_percentage=12.5"], at);
  await ok(["quota", "set", "--default-user", "--client-id", "app", "consumer_byte_rate=5"], at);
  await ok(["quota", "set", "--ip", "10.0.0.1", "connection_creation_rate=7"], at);
  expect(await ok(["quota", "list"], at)).toMatch(/^user alice +request_percentage +12.5$/m);
  const listed = JSON.parse(await ok(["quota", "list", "--json"], at));
  expect(listed).toContainEqual({
    entity: { user: null, "client-id": "app" },
    quotas: { consumer_byte_rate: 5 },
  });
  expect(JSON.parse(await ok(["quota", "list", ...alice, "--json"], at))).toHaveLength(1);
  await ok(["quota", "unset", ...alice, "producer_byte_rate"], at);
  expect(await ok(["quota", "list", ...alice], at)).not.toContain("producer_byte_rate");
  await ok(["quota", "unset", ...alice], at);
  expect(JSON.parse(await ok(["quota", "list", "--json"], at))).toHaveLength(2);

  await fails(["quota", "unset", ...alice], 1, ["user alice has no quotas"], at);
  await fails(["quota", "set", "producer_byte_rate=1"], 2, ["whose quotas"], at);
  await fails(["quota", "set", ...alice, "producer_byte_rate=x"], 2, ["quota=number"], at);
  await fails(["quota", "set", ...alice, "speed=1"], 1, ['there is no quota "speed"'], at);
  await fails(["quota", "set", ...alice, "--ip", "10.0.0.1", "a=1"], 2, ["of its own"], at);
});

test("users are added, listed and deleted, and nobody reads a password", async () => {
  const secret = { ...at, input: "a secret\n" };
  await ok(["user", "set", "alice", "--password-file", "-"], secret);
  const long = ["--mechanism", "SCRAM-SHA-512", "--iterations", "4096", "--password-file", "-"];
  await ok(["user", "set", "alice", ...long], secret);
  await ok(["user", "set", "bob"], { ...at, env: { KSTREAM_USER_PASSWORD: "another" } });
  expect(await ok(["user", "list"], at)).toBe(
    "USER   MECHANISM      ITERATIONS\n" +
      "alice  SCRAM-SHA-256        8192\n" +
      "alice  SCRAM-SHA-512        4096\n" +
      "bob    SCRAM-SHA-256        8192\n",
  );
  expect(JSON.parse(await ok(["user", "list", "carol", "bob", "--json"], at)))
    .toEqual([{ name: "bob", iterations: { "SCRAM-SHA-256": 8192 } }]);
  await ok(["user", "delete", "alice", "--mechanism", "SCRAM-SHA-512"], at);
  expect(await ok(["user", "delete", "alice", "bob"], at)).toContain("deleted user bob");
  expect(JSON.parse(await ok(["user", "list", "--json"], at))).toEqual([]);
  await fails(["user", "delete", "alice"], 1, ["there is no user alice"], at);
  await fails(["user", "set", "alice", "--password-file", "-"], 2, ["no password"], at);
  await fails(["user", "set", "alice", "--password-file", "/nowhere"], 2, ["cannot read"], at);
  await fails(["user", "set", "alice", "--iterations", "1"], 2, ["from 4096 to 16384"], at);
});

test("without an authorizer there are no rules", async () => {
  const open = await startBrokerProcess({ args: ["--memory"] });
  try {
    await fails(["acl", "list"], 1, ["no authorizer", AUTHORIZER], { brokers: open.bootstrap });
  } finally {
    await open.stop();
  }
});

test("rules hold after a restart, and what they hide is not shown", async () => {
  const dataDir = join(freshDir("acls"), "data");
  const on = ["--set", `authorizer.class.name=${AUTHORIZER}`];
  const first = await startBrokerProcess({
    dataDir,
    args: [...on, "--set", "super.users=User:ANONYMOUS"],
  });
  const superUser = { brokers: first.bootstrap };
  await ok(["topic", "create", "open", "secret"], superUser);
  await ok(["produce", "secret"], { ...superUser, input: "hidden\n" });
  const allow = ["acl", "add", "--allow", "User:ANONYMOUS", "-o"];
  await ok([...allow, "read,write", "--topic", "open"], superUser);
  await ok([...allow, "read", "--group", "g"], superUser);
  expect(await first.stop()).toBe(0);

  const second = await startBrokerProcess({ dataDir, args: on });
  const user = { brokers: second.bootstrap };
  const topics = JSON.parse(await ok(["topic", "list", "--json"], user));
  expect(topics.map(({ topic }: { topic: string }) => topic)).toEqual(["open"]);
  await ok(["produce", "open"], { ...user, input: "a\nb\n" });
  expect(await ok(["consume", "open", "-g", "g", "-n", "2"], user)).toBe("a\nb\n");
  expect(await ok(["group", "list"], user)).toContain("g");
  const denied: string[][] = [
    ["consume", "secret", "-e"],
    ["consume", "open", "-g", "other", "-n", "1"],
    ["topic", "delete", "open"],
    ["topic", "create", "more"],
    ["config", "get", "topic", "open"],
    ["config", "set", "broker", "default", "log.retention.ms=1"],
    ["quota", "list"],
    ["acl", "list"],
  ];
  for (const command of denied) {
    const { exitCode, stderr } = await kstream(command, user);
    expect([command, exitCode]).toEqual([command, 1]);
    expect([command, stderr]).toEqual([command, expect.stringMatching(/AUTHORIZATION_FAILED/)]);
  }
  const produced = await kstream(["produce", "secret"], { ...user, input: "no\n" });
  expect(produced.exitCode).not.toBe(0);
  expect(produced.stderr).toContain("AUTHORIZATION_FAILED");
  expect(await second.stop()).toBe(0);
});
