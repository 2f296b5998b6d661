/** Help, man pages and docs/commands.md: complete, readable, up to date. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectorsMarkdown } from "../scripts/reference/connectors.ts";
import { metricsMarkdown } from "../scripts/reference/metrics.ts";
import { manPages } from "../scripts/reference/man.ts";
import { commandsMarkdown } from "../scripts/reference/markdown.ts";
import { referencePages } from "../scripts/reference/pages.ts";
import { BUILT_IN } from "../connect/plugins/built-in.ts";
import { Plugins } from "../connect/plugins/plugins.ts";
import { problemsOf } from "../cmd/connect/validate.ts";
import { parseConfigFile } from "../connect/config/config-file.ts";
import { describeConnector } from "../connect/plugins/described.ts";
import { COMMANDS, loadTree } from "../cmd/commands.ts";
import { withoutLeading } from "../cmd/leading-options.ts";
import { beforeHandwritten } from "../bench/markdown.ts";

const pages = await referencePages();

test("every command has a description, examples of itself, and a word for each option", () => {
  expect(pages.length).toBeGreaterThan(30);
  for (const { path, description, examples, optionGroups, arguments: inputs } of pages) {
    expect([path, description]).toEqual([path, expect.stringMatching(/^[A-Z].*[.]$/s)]);
    const words = path.replace("kstream ", "");
    const shown = examples.filter((line) => line.includes(words));
    expect([path, "has examples", shown.length > 0]).toEqual([path, "has examples", true]);
    for (const { name, text } of [...inputs, ...optionGroups.flatMap(({ options }) => options)]) {
      expect([path, name, text === ""]).toEqual([path, name, false]);
    }
  }
});

test("docs/commands.md is what the commands say: make docs", () => {
  const written = readFileSync(join(import.meta.dir, "../docs/commands.md"), "utf8");
  const normal = (text: string) => text.replace(/\\/g, "").replace(/\s+/g, " ").trim();
  expect(normal(written)).toBe(normal(commandsMarkdown(pages)));
});

test("docs/metrics.md is what the registry says: make docs", () => {
  const written = readFileSync(join(import.meta.dir, "../docs/metrics.md"), "utf8");
  const normal = (text: string) => text.replace(/\\/g, "").replace(/\s+/g, " ").trim();
  expect(normal(written)).toBe(normal(metricsMarkdown()));
});

test("docs/connectors.md is what the connectors say: make docs", async () => {
  const written = readFileSync(join(import.meta.dir, "../docs/connectors.md"), "utf8");
  const normal = (text: string) => text.replace(/\\/g, "").replace(/\s+/g, " ").trim();
  expect(normal(written)).toBe(normal(await connectorsMarkdown()));
});

test("the example of each connector is a config that is well", async () => {
  const plugins = new Plugins(BUILT_IN);
  for (const { load } of BUILT_IN) {
    const { name, example } = describeConnector(await load());
    const documents = parseConfigFile(`${name}.yaml`, example);
    expect(documents).toHaveLength(1);
    for (const [, variable = ""] of example.matchAll(/\$\{env:(\w+)\}/g)) {
      process.env[variable] ??= "of this test";
    }
    expect(await problemsOf(documents, { offline: true, plugins, hosts: null })).toEqual([]);
  }
});

test.skipIf(Bun.which("groff") === null)("man pages are what groff expects, whole", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kstream-man-"));
  for (const [name, text] of manPages(pages, "1.2.3")) {
    const file = join(directory, name);
    writeFileSync(file, text);
    const groff = Bun.spawn(["groff", "-man", "-Tutf8", "-ww", "-P-cbou", file], {
      stderr: "pipe",
    });
    const [shown, complaints] = await Promise.all([
      new Response(groff.stdout).text(),
      new Response(groff.stderr).text(),
    ]);
    expect([name, complaints]).toEqual([name, ""]);
    expect(shown).toContain("EXIT STATUS");
    const page = pages.find(({ path }) => `${path.replaceAll(" ", "-")}.1` === name);
    for (const { options } of page?.optionGroups ?? []) {
      for (const option of options) expect(shown).toContain(option.name);
    }
    for (const example of page?.examples ?? []) expect(shown).toContain(example);
  }
  rmSync(directory, { recursive: true });
}, 60_000);

/** The words of each `kstream …` in a line of shell; what the shell does around them is left out. */
function commandsIn(line: string): string[][] {
  const found: string[][] = [];
  let words: string[] = [];
  const tokens = line.matchAll(
    /'[^']*'|"(?:\\.|[^"])*"|\\.|\s+#.*$|\d?>&\d|[|;&<>()]|\s+|[^\s'"\\|;&<>()]+/g,
  );
  let word: string | null = null;
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = () => {
    endWord();
    const at = words.findIndex((each) => each === "kstream");
    // Before it there may be a prompt and variables.
    if (at >= 0 && words.slice(0, at).every((each) => /^\$$|^\w+=/.test(each))) {
      found.push(words.slice(at + 1));
    }
    words = [];
  };
  for (const [token] of tokens) {
    if (/^\s+#/.test(token) || /^\s{2,}/.test(token) && words.length > 1) break;
    if (/^\s/.test(token)) endWord();
    else if (/^[|;&()]$/.test(token)) endCommand();
    else if (/^[<>]$|^\d?>&/.test(token)) {
      endWord();
      words.push("<");
    } else word = (word ?? "") + token.replace(/^(['"])(.*)\1$/s, "$2").replace(/^\\(.)/, "$1");
  }
  endCommand();
  return found.map((all) => all.filter((_each, i) => all[i] !== "<" && all[i - 1] !== "<"));
}

/** What commander says of the words, or null. */
async function complaint(words: readonly string[]): Promise<string | null> {
  const names = COMMANDS.map(({ name }) => name);
  let rest = withoutLeading(words, names);
  if (rest[0] === "help") rest = [...rest.slice(1), "--help"];
  let command = await loadTree();
  for (
    let child;
    (child = command.commands.find((each) => each.name() === rest[0]));
    rest.shift()
  ) {
    command = child;
  }
  if (rest.includes("--help")) return null;
  if (command.commands.length > 0) return `no subcommand ${rest[0]}`;
  command.exitOverride().configureOutput({ outputError: () => {}, writeErr: () => {} });
  try {
    const { operands, unknown } = command.parseOptions(rest);
    if (unknown.length > 0) return `unknown: ${unknown.join(" ")}`;
    const inputs = command.registeredArguments;
    const required = inputs.filter((each) => each.required).length;
    const most = inputs.at(-1)?.variadic ? Infinity : inputs.length;
    const fits = operands.length >= required && operands.length <= most;
    return fits ? null : `${operands.length} arguments: ${operands.join(" ")}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("every command line in the help and the docs is one that the commands take", async () => {
  const read = (path: string) =>
    readFileSync(join(import.meta.dir, "..", path), "utf8").split("\n");
  const lines = [
    ...pages.flatMap(({ examples }) => examples),
    ...["README.md", "docs/cookbook.md", "docs/expressions.md"].flatMap(read),
  ].filter((line) => !line.includes("…") && /^\s|kstream/.test(line) && !line.includes("`"));
  const commands = lines.flatMap(commandsIn);
  expect(commands.length).toBeGreaterThan(250);
  const wrong: string[] = [];
  for (const words of commands) {
    const why = await complaint(words);
    if (why !== null) wrong.push(`kstream ${words.join(" ")}: ${why}`);
  }
  expect(wrong).toEqual([]);
});

test("figures that are measured anew leave what is written by hand beside them", () => {
  const page = readFileSync(join(import.meta.dir, "../docs/benchmarks.md"), "utf8");
  const anew = beforeHandwritten("# Figures\n", page);
  expect(anew).toStartWith("# Figures\n\n");
  expect(anew).not.toContain("Commands against kcat");
  for (const title of ["What limits what is missed", "Replication", "Streams"]) {
    expect(anew).toContain(`\n## ${title}\n`);
  }
  expect(() => beforeHandwritten("# Figures", "# Others")).toThrow("has no line");
});
