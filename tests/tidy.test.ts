/** The house rules, held against every source file, and each rule held against a bad example. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  bannedApis,
  bannedText,
  deadFiles,
  type Finding,
  formatFinding,
  functionLength,
  handlerShape,
  idleTests,
  importDirection,
  parseSource,
  type Source,
} from "./tidy/rules.ts";
import { SUITES } from "./suites.ts";

const ROOT = join(import.meta.dir, "..");
const FOLDERS = [
  "core",
  "storage",
  "cluster",
  "broker",
  "client",
  "cmd",
  "admin",
  "connect",
  "stream",
  "testing",
  "tests",
  "bench",
];

/** Product files that are started by name rather than imported. */
const ENTRIES = [
  "main.ts",
  "client/package/bun.ts",
  "client/package/node.ts",
  "testing/index.ts",
  "cmd/connect/hosts/host-thread.ts",
  "cmd/stream/threads/app-thread.ts",
  "cmd/serve/offload-worker.ts",
  "admin/ui/main.tsx",
  "connect/index.ts",
  "connect/testing/index.ts",
  "stream/index.ts",
  "stream/testing/index.ts",
  "cmd/stream/test-library.ts",
  // Clusters, which no command starts yet.
  "cluster/etcd/open-etcd.ts",
  "cluster/etcd/etcd-url.ts",
  "cluster/etcd/migrate.ts",
  // All of Kafka's messages are defined, also those that nothing serves yet.
  "core/protocol/index.ts",
  "core/protocol/records/index.ts",
];

/** Functions longer than the bound, with their present length: the list may only shrink. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {};

function listSources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ["out", "target"].includes(entry.name) ? [] : listSources(path);
    // Declarations alone are of what is not ours.
    return /(?<!\.d)\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const present = readdirSync(ROOT).filter((name) => FOLDERS.includes(name));
const sources: readonly Source[] = ["main.ts", ...present.flatMap(listSources)]
  .map((path) => parseSource(path, readFileSync(join(ROOT, path), "utf8")));

function expectNone(findings: readonly Finding[]): void {
  expect(findings.map(formatFinding)).toEqual([]);
}

test("imports go down only", () => expectNone(sources.flatMap(importDirection)));
test("seamed folders use the seams", () => expectNone(sources.flatMap(bannedApis)));
test("no file is dead", () => expectNone(deadFiles(sources, ENTRIES)));
test("every test is run by a suite", () => {
  const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
  const variable = (name: string) =>
    new RegExp(`^${name} := \\$\\(wildcard (.*)\\)$`, "m").exec(makefile)?.[1] ?? "";
  const recipes = Array.from(makefile.matchAll(/^\tbun test (.*)$/gm), ([, what]) => what ?? "");
  const made = recipes.join(" ")
    .replace("$(addprefix ./,$(PRODUCT_DIRS))", variable("PRODUCT_DIRS"))
    .split(/\s+/).map((path) => path.replace(/^\.\//, ""));
  expect(made).toContain("storage");
  expectNone(idleTests(sources, [...made, ...SUITES.flatMap(({ full }) => full)]));
});
test("handlers declare authorization", () => expectNone(sources.flatMap(handlerShape)));
test("functions stay short", () => expectNone(functionLength(sources, LONG_FUNCTIONS)));
test("nothing is left over in the text", () => expectNone(sources.flatMap(bannedText)));

const findingsOf = (rule: (source: Source) => Finding[], path: string, text: string) =>
  rule(parseSource(path, text)).map(formatFinding);

test("the import rule sees upward, sideways and dynamic imports", () => {
  const found = findingsOf(
    importDirection,
    "client/x.ts",
    `import { a } from "../broker/a.ts";\nexport * from "../core/b.ts";\n` +
      `const c = await import("../storage/c.ts");\n`,
  );
  expect(found.length).toBe(2);
  expect(found[0]).toStartWith("client/x.ts:1: client must not import broker/");
  expect(found[1]).toStartWith("client/x.ts:3: client must not import storage/");
});

test("the banned-API rule sees calls, constructors and modules, not words or locals", () => {
  const found = findingsOf(
    bannedApis,
    "storage/x.ts",
    `import fs from "node:fs";\nconst a = Date.now();\nconst b = new Date();\n` +
      `setTimeout(() => {}, 1);\nconst c = new Date(5);\n// Date.now() is banned\n` +
      `const d = Bun.file("x");\nconst e = { setTimeout: 1 };\n`,
  );
  expect(found.map((line) => line.split(":")[1])).toEqual(["2", "3", "4", "7", "1"]);
  expect(found[0]).toContain("use clock.wallMs()");
  expect(findingsOf(bannedApis, "core/io/bun/clock.ts", "Date.now()")).toEqual([]);
});

test("the dead-file rule follows imports from the entries", () => {
  const tree = [
    parseSource("main.ts", `import "./core/a.ts";`),
    parseSource("core/a.ts", ""),
    parseSource("core/b.ts", ""),
    parseSource("core/b.test.ts", `import "./b.ts";`),
  ];
  expect(deadFiles(tree, ["main.ts"]).map((finding) => finding.path)).toEqual(["core/b.ts"]);
});

test("the rule of idle tests knows paths, folders and programs that name them", () => {
  const tree = ["core/a.test.ts", "tests/x/b.test.ts", "tests/y/c.test.ts", "tests/z/d.test.ts"]
    .map((path) => parseSource(path, ""));
  tree.push(parseSource("tests/run.ts", 'const files = ["d.test.ts"].map((n) => `tests/z/${n}`);'));
  const found = idleTests(tree, ["bun", "test", "core", "tests/x/b.test.ts"]);
  expect(found.map(({ path }) => path)).toEqual(["tests/y/c.test.ts"]);
});

test("the handler rule wants authorization and a header", () => {
  const path = "broker/handlers/99-x.ts";
  expect(findingsOf(handlerShape, path, "export const h = { handle() {} };").length).toBe(2);
  const good = "/** Serves 0-1. */\nexport const h = { authorize: none, handle() {} };";
  expect(findingsOf(handlerShape, path, good)).toEqual([]);
});

test("the length rule ratchets", () => {
  const body = "  f();\n".repeat(71);
  const long = [parseSource("core/x.ts", `function g() {\n${body}}\n`)];
  expect(functionLength(long, {}).length).toBe(1);
  expect(functionLength(long, { "core/x.ts:g": 73 })).toEqual([]);
  expect(functionLength(long, { "core/x.ts:g": 72 }).length).toBe(1);
  expect(functionLength([], { "core/x.ts:g": 73 }).length).toBe(1);
});

test("the text rule sees markers and machine paths", () => {
  const text = `// ${"TO"}DO later\nconst p = "/home/me/x";\n`;
  expect(findingsOf(bannedText, "core/x.ts", text).length).toBe(2);
  const expected = "// @ts-expect-error: keys are text\n";
  expect(findingsOf(bannedText, "core/x.ts", expected).length).toBe(1);
  expect(findingsOf(bannedText, "core/x.test.ts", expected)).toEqual([]);
  expect(findingsOf(bannedText, "core/x.test.ts", "// @ts-expect-error\n").length).toBe(1);
});
