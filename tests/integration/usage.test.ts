/** The command tree: help, versions, mistakes at the command line, settings. No broker runs. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

/** Every command with what it cannot do without. */
const LEAVES: readonly (readonly string[])[] = [
  ["serve"],
  ["topic", "create"],
  ["topic", "list"],
  ["topic", "describe"],
  ["topic", "alter"],
  ["topic", "delete"],
  ["produce"],
  ["consume"],
  ["group", "list"],
  ["group", "describe"],
  ["group", "delete"],
];

test("the version and help of everything go to stdout and end with 0", async () => {
  expect(await ok(["--version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await ok(["-V"])).toBe(await ok(["--version"]));
  const help = await ok([]);
  expect(await ok(["--help"])).toBe(help);
  expect(await ok(["help"])).toBe(help);
  for (const [command] of LEAVES) expect(help).toContain(`\n  ${command} `);
  for (const leaf of LEAVES) {
    const text = await ok([...leaf, "--help"]);
    expect(text).toStartWith(`Usage: kstream ${leaf.join(" ")}`);
    expect(text.split("\nExamples:\n").length).toBe(2);
    expect(text).not.toContain("default: [");
    expect(await ok(["help", ...leaf])).toBe(text);
  }
});

test("mistakes are usage errors with a suggestion", async () => {
  await fails(["topci"], 2, ['no command "topci"', 'did you mean "kstream topic"']);
  await fails(["help", "topci"], 2, ['did you mean "kstream topic"']);
  await fails(["xyz"], 2, ["kstream --help"]);
  await fails(["--versoin"], 2, ["--version"]);
  await fails(["topic"], 2, ["a subcommand is missing", "kstream topic --help"]);
  await fails(["topic", "creat"], 2, ["did you mean create"]);
  await fails(["topic", "list", "--jsn"], 2, ["did you mean --json"]);
  await fails(["topic", "list", "surplus"], 2, ["too many arguments"]);
  await fails(["topic", "create"], 2, ["missing required argument 'name'"]);
  await fails(["topic", "create", "a", "-p"], 2, ["argument missing"]);
  for (const bad of ["0", "x", "1.5", "-1", "1000001", ""]) {
    await fails(["topic", "create", "a", "-p", bad], 2, ["no whole number"]);
  }
  await fails(["topic", "create", "a", "-c", "novalue"], 2, ["name=value"]);
  await fails(["topic", "create", "a", "-c", "x=1", "-c", "x=2"], 2, ["given twice"]);
  await fails(["topic", "alter", "a"], 2, ["nothing to change"]);
  await fails(["topic", "alter", "a", "-c", "x=1", "--delete-config", "x"], 2, ["both"]);
  await fails(["group", "describe"], 2, ["missing required argument 'name'"]);
  await fails(["topic", "list", "--timeout", "0"], 2, ["no number of seconds"]);
  await fails(["serve", "--durability", "maybe"], 2, ["fsync, os"]);
  await fails(["serve", "--reday-file", "x"], 2, ["did you mean --ready-file"]);
});

test("which cluster and colours may be said before the command, nothing else", async () => {
  await fails(["--brokers", "127.0.0.1:2", "topic", "list"], 3, ["127.0.0.1:2"]);
  await fails(["-b", "127.0.0.1:2", "topic", "list", "-b", "127.0.0.1:3"], 3, ["127.0.0.1:3"]);
  await fails(["--profile", "nobody", "topic", "list"], 2, ["nobody"]);
  await fails(["--profile", "dev"], 2, ["a command is missing"]);
  await fails(["--json", "topic", "list"], 2, ["kstream topic … --json"]);
  await fails(["--brokers", "a:1", "inspect", "index", "x"], 2, ["unknown option '--brokers'"]);
  expect(await ok(["--color", "always", "topic", "--help"])).toContain("\x1b[1m");
});

test("brokers that are no address are a usage error, unreachable ones end with 3", async () => {
  await fails(["topic", "list", "-b", "a b"], 2, ["no broker address"]);
  await fails(["topic", "list", "-b", ""], 2, ["no broker address"]);
  for (const command of [["topic", "list"], ["topic", "create", "a"], ["group", "list"]]) {
    await fails([...command, "-b", "127.0.0.1:1"], 3, ["127.0.0.1:1", "kstream serve"]);
  }
});

test("flags win over the environment, that over kstream.toml, that over defaults", async () => {
  const cwd = freshDir("settings");
  writeFileSync(join(cwd, "kstream.toml"), 'brokers = "127.0.0.1:3"\n');
  const env = { KSTREAM_BROKERS: "127.0.0.1:2" };
  await fails(["topic", "list", "-b", "127.0.0.1:4"], 3, ["127.0.0.1:4"], { cwd, env });
  await fails(["topic", "list"], 3, ["127.0.0.1:2"], { cwd, env });
  const file = join(cwd, "other.toml");
  writeFileSync(file, '[topic.list]\nbrokers = "a b"\n[topic.create]\npartitions = 0\n');
  const withFile = { cwd, env: { KSTREAM_TOML: file } };
  await fails(["topic", "create", "a"], 2, ["partitions", "[topic.create]"], withFile);
  await fails(["topic", "create", "a", "-p", "1"], 3, ["127.0.0.1:1"], withFile);
  writeFileSync(file, '[topic.list]\nbrokrs = "a"\n');
  await fails(["topic", "list"], 2, ['did you mean "brokers"'], withFile);
  writeFileSync(file, "[sevre]\n");
  await fails(["topic", "list"], 2, ['did you mean "serve"'], withFile);
  await fails(["topic", "list"], 2, ["nothing.toml"], { env: { KSTREAM_TOML: "nothing.toml" } });
  await fails(["topic", "list"], 2, ["neither true nor false"], { env: { KSTREAM_JSON: "maybe" } });
});

test("a misspelt variable is a warning, whichever command reads the right one", async () => {
  for (
    const [name, meant] of [["KSTREAM_BROKRES", "BROKERS"], ["KSTREAM_REDAY_FILE", "READY_FILE"]]
  ) {
    const finished = await kstream(["topic", "list"], { env: { [name!]: "x" } });
    expect(finished.exitCode).toBe(3);
    expect(finished.stderr.split("\n")[0]).toBe(
      `kstream: warning: nothing reads ${name} in the environment: did you mean KSTREAM_${meant}?`,
    );
  }
  await fails(["topic", "list"], 3, ["no broker"], { env: { KSTREAM_READY_FILE: "x" } });
});

test("a broker that accepts but never answers ends the patience with 3", async () => {
  const server = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: () => {} } });
  const silent = `127.0.0.1:${server.port}`;
  await Promise.all([
    fails(["topic", "list", "-b", silent, "--timeout", "0.3"], 3, [silent]),
    fails(["group", "delete", "g", "-b", silent, "--timeout", "0.3"], 3, [silent]),
    fails(["produce", "t", "-b", silent, "--timeout", "0.3"], 3, [silent]),
    fails(["consume", "t", "-b", silent, "--timeout", "0.3"], 3, [silent]),
  ]);
  server.stop(true);
});

test("a full disk behind stdout is an error, not a bug", async () => {
  const finished = await shell("kstream --version; kstream topic list --help > /dev/full");
  expect(finished.exitCode).toBe(1);
  expect(finished.stderr).toMatch(/^kstream: cannot write to standard output: [^\n]+\n$/);
});

test("an address where no Kafka answers is told from a dead one", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hi") });
  const finished = await kstream(["topic", "list", "-b", `127.0.0.1:${server.port}`]);
  await server.stop(true);
  expect(finished.stderr).toMatch(/^kstream: [^\n]*\n$/);
  expect([1, 3]).toContain(finished.exitCode);
});

test("colours are for people, unless they are asked for", async () => {
  const without = { NO_COLOR: "", FORCE_COLOR: "" };
  const failed = async (args: readonly string[], env: Record<string, string>) =>
    (await kstream(["topic", "list", ...args], { env: { ...without, ...env } })).stderr;
  expect(await failed([], {})).toStartWith("kstream: no broker");
  expect(await failed(["--color", "always"], {})).toStartWith("\x1b[31mkstream:");
  expect(await failed(["--color=always", "--jsn"], {})).toStartWith("\x1b[31mkstream:");
  expect(await failed([], { FORCE_COLOR: "1" })).toStartWith("\x1b[31mkstream:");
  expect(await failed([], { KSTREAM_COLOR: "always" })).toStartWith("\x1b[31mkstream:");
  expect(await failed(["--color", "never"], { FORCE_COLOR: "1" })).toStartWith("kstream:");
  expect(await failed(["--color", "blue"], {})).toContain(
    "Allowed choices are auto, always, never",
  );
  expect(await ok(["topic", "list", "--help"])).not.toContain("\x1b");
  expect(await ok(["topic", "list", "--help", "--color=always"])).toContain("\x1b[1mOptions:");
});
