import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { applySettings, unknownVariables } from "./settings.ts";

const before = { ...process.env };
const scratch = mkdtempSync(join(tmpdir(), "kstream-settings-"));

afterEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith("KSTREAM_")) delete process.env[name];
  }
  Object.assign(process.env, before);
  rmSync(scratch, { recursive: true, force: true });
});

/** The options of `topic create` in a small tree, after flags, environment and file. */
async function options(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  toml: string,
): Promise<Record<string, unknown>> {
  mkdirSync(scratch, { recursive: true });
  const file = join(mkdtempSync(join(scratch, "toml-")), "settings.toml");
  writeFileSync(file, toml);
  Object.assign(process.env, environment, { KSTREAM_TOML: file, XDG_CONFIG_HOME: scratch });
  const leaf = new Command("create")
    .option("-b, --brokers <list>", "", "default:1")
    .option("--ready-file <file>")
    .option("--no-create")
    .option("--json")
    .option("--topic <name>")
    .option("--set <pair>", "", (pair: string, all: string[]) => [...all, pair], [])
    .action(() => {});
  const program = new Command("kstream").hook(
    "preAction",
    async (_, action) => void await applySettings(action),
  );
  program.addCommand(new Command("topic").addCommand(leaf));
  await program.parseAsync(["topic", "create", ...args], { from: "user" });
  rmSync(file);
  return leaf.opts();
}

test("flags win over the environment, that over the file, that over defaults", async () => {
  const toml = 'brokers = "top:1"\n[topic.create]\nbrokers = "file:1"\n';
  const environment = { KSTREAM_BROKERS: "env:1" };
  expect((await options(["-b", "flag:1"], environment, toml))["brokers"]).toBe("flag:1");
  expect((await options([], environment, toml))["brokers"]).toBe("env:1");
  delete process.env["KSTREAM_BROKERS"];
  expect((await options([], {}, toml))["brokers"]).toBe("file:1");
  expect((await options([], {}, 'brokers = "top:1"'))["brokers"]).toBe("top:1");
  expect((await options([], {}, ""))["brokers"]).toBe("default:1");
});

test("a command's table is no value of an option that has the command's name", async () => {
  expect((await options([], {}, "[topic.create]\njson = true"))["topic"]).toBeUndefined();
});

test("repeated options are split at semicolons or come as arrays", async () => {
  const fromEnvironment = await options([], { KSTREAM_SET: "a=1,2; b=3" }, "");
  expect(fromEnvironment["set"]).toEqual(["a=1,2", "b=3"]);
  delete process.env["KSTREAM_SET"];
  const fromFile = await options([], {}, '[topic.create]\nset = ["a=1;2", "b=3"]');
  expect(fromFile["set"]).toEqual(["a=1;2", "b=3"]);
});

test("flags without value take true and false, also in their negative form", async () => {
  const set = await options([], { KSTREAM_JSON: "true", KSTREAM_NO_CREATE: "1" }, "");
  expect(set).toMatchObject({ json: true, create: false });
  const unset = await options([], { KSTREAM_JSON: "false", KSTREAM_NO_CREATE: "0" }, "");
  expect(unset).toMatchObject({ json: false, create: true });
  await expect(options([], { KSTREAM_JSON: "perhaps" }, "")).rejects.toMatchObject({ exitCode: 2 });
});

test("unknown names in the file are refused with a suggestion", async () => {
  for (
    const [toml, words] of [
      ["[topic.create]\nbrokrs = 1", 'did you mean "brokers"'],
      ["[topic.craete]\nbrokers = 1", 'did you mean "create"'],
      ["[topci]\nx = 1", 'did you mean "topic"'],
      ['broker = "x"', "is no table"],
      ["ready-file = 1", "unknown name"],
      ["a = ", "cannot read the settings file"],
    ] as const
  ) {
    await expect(options([], {}, toml)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(words),
    });
  }
  expect(await options([], {}, "[broker]\nx = 1")).toBeDefined();
});

test("variables that nothing reads are told, with what may be meant", () => {
  const leaf = new Command("create").option("--ready-file <file>").option("-b, --brokers <list>");
  const tree = [new Command("topic").addCommand(leaf)];
  const environment = { KSTREAM_BROKERS: "a", KSTREAM_TOML: "b", KSTREAM_DEBUG: "1", PATH: "/" };
  expect(unknownVariables(environment, tree)).toEqual([]);
  const mistaken = { ...environment, KSTREAM_BROKRES: "a", KSTREAM_SOMETHING_ELSE: "b" };
  expect(unknownVariables(mistaken, tree)).toEqual([
    "warning: nothing reads KSTREAM_BROKRES in the environment: did you mean KSTREAM_BROKERS?",
    "warning: nothing reads KSTREAM_SOMETHING_ELSE in the environment",
  ]);
});
