/**
 * The house rules as pure functions over parsed sources (after TigerBeetle's tidy.zig): each
 * finding names the file and the line, what is wrong and what to use instead.
 */
import ts from "typescript";

/** A source file of the repository, its path relative to the root with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** One breach of a rule. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** Parses a source for the rules. */
export function parseSource(path: string, text: string): Source {
  const kind = path.endsWith(".tsx") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  return { path, text, tree };
}

/** A finding as one line: `path:line: message`. */
export function formatFinding(finding: Finding): string {
  return `${finding.path}:${finding.line}: ${finding.message}`;
}

function at(source: Source, node: ts.Node, message: string): Finding {
  const { line } = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree));
  return { path: source.path, line: line + 1, message };
}

function visit(node: ts.Node, callback: (node: ts.Node) => void): void {
  callback(node);
  node.forEachChild((child) => visit(child, callback));
}

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

export function isTest(path: string): boolean {
  return path.startsWith("tests/") || /\.test(-helper)?\.ts$/.test(path);
}

// ---------------------------------------------------------------------------------------------
// Import direction

/** What each folder may import besides itself: only what lies below it. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  core: [],
  storage: ["core"],
  cluster: ["storage", "core"],
  broker: ["cluster", "storage", "core"],
  admin: ["broker", "cluster", "storage", "client", "core"],
  client: ["core"],
  connect: ["client", "core"],
  stream: ["client", "core"],
  testing: ["admin", "broker", "cluster", "storage", "client", "core"],
  cmd: ["testing", "admin", "broker", "cluster", "storage", "connect", "stream", "client", "core"],
  "": ["cmd", "core"],
};

/** Module specifiers of a file with the nodes that hold them: static, dynamic and re-exports. */
export function importsOf(source: Source): { specifier: string; node: ts.Node }[] {
  const found: { specifier: string; node: ts.Node }[] = [];
  visit(source.tree, (node) => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
    ) {
      found.push({ specifier: node.moduleSpecifier.text, node });
    }
    const isDynamic = ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword;
    const argument = isDynamic ? node.arguments[0] : undefined;
    if (argument !== undefined && ts.isStringLiteral(argument)) {
      found.push({ specifier: argument.text, node });
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const literal = node.argument.literal;
      if (ts.isStringLiteral(literal)) found.push({ specifier: literal.text, node });
    }
  });
  return found;
}

/** The repository path that a relative specifier names, or null for a package. */
export function resolveImport(fromPath: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const parts = fromPath.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Product code imports downwards only, and never test code. */
export function importDirection(source: Source): Finding[] {
  if (isTest(source.path) || source.path.startsWith("bench/")) return [];
  const folder = folderOf(source.path);
  const below = BELOW[folder];
  if (below === undefined) return [];
  const findings: Finding[] = [];
  for (const { specifier, node } of importsOf(source)) {
    const target = resolveImport(source.path, specifier);
    if (target === null) continue;
    const targetFolder = folderOf(target);
    if (isTest(target)) {
      findings.push(at(source, node, `product code imports test code (${target}); move it`));
    } else if (targetFolder !== folder && !below.includes(targetFolder)) {
      findings.push(at(
        source,
        node,
        `${folder || "main.ts"} must not import ${targetFolder}/; it may use ` +
          `${below.join(", ") || "nothing else"}: move the shared part down or turn it round`,
      ));
    }
  }
  return findings;
}

// ---------------------------------------------------------------------------------------------
// Banned APIs

/** Folders whose time, chance and I/O come through the seams. */
const SEAMED = ["storage", "cluster", "broker", "admin", "client", "connect", "stream"];
/** Adapters to other systems, each behind an interface with a conformance suite; what browsers run. */
const EXEMPT = [
  "cluster/etcd/",
  "connect/connectors/",
  "connect/formats/",
  "stream/stores/",
  "core/io/",
  "admin/ui/",
];

const BANNED_CALLS: Readonly<Record<string, string>> = {
  "Date.now": "clock.wallMs()",
  "performance.now": "clock.monotonicMs()",
  "process.hrtime": "clock.monotonicMs()",
  "AbortSignal.timeout": "clock.setTimer with an AbortController",
  "Math.random": "random.below()",
  "crypto.randomUUID": "random.bytes()",
  "crypto.getRandomValues": "random.bytes()",
  "crypto.randomBytes": "random.bytes()",
  setTimeout: "clock.setTimer()",
  setInterval: "clock.setTimer()",
  setImmediate: "clock.setTimer(0, …)",
};
/** What Node 20 lacks, on which `client/` has to run. */
const BANNED_IN_CLIENT: Readonly<Record<string, string>> = {
  "Promise.withResolvers": "deferred() of core/deferred.ts",
  "Promise.try": "an async function",
  "Map.groupBy": "groupBy() of core/group-by.ts",
  "Object.groupBy": "groupBy() of core/group-by.ts",
  "Array.fromAsync": "a loop",
};
const BANNED_MODULES: Readonly<Record<string, string>> = {
  "node:fs": "Disk of core/io.ts",
  "node:fs/promises": "Disk of core/io.ts",
  fs: "Disk of core/io.ts",
  "node:net": "Network of core/io.ts",
  net: "Network of core/io.ts",
  "node:tls": "Network of core/io.ts",
  "node:dgram": "Network of core/io.ts",
  "node:worker_threads": "Offload of core/io.ts",
  "node:child_process": "a seam of core/io.ts",
  "node:timers": "clock.setTimer()",
  "node:timers/promises": "sleep() of core/io.ts",
};

/** The dotted name of an expression such as `process.hrtime`, or "" for anything else. */
function dottedName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) {
    const left = dottedName(node.expression);
    return left === "" ? "" : `${left}.${node.name.text}`;
  }
  return "";
}

function bannedAt(source: Source, node: ts.Node): Finding | null {
  const ban = (what: string, instead: string) =>
    at(source, node, `${what} is banned in ${folderOf(source.path)}/, use ${instead}`);
  if (ts.isPropertyAccessExpression(node) || ts.isIdentifier(node)) {
    const name = dottedName(node).replace(/^globalThis\./, "");
    const isCallee = ts.isPropertyAccessExpression(node) ||
      (ts.isCallExpression(node.parent) && node.parent.expression === node);
    // Own names alone: a function of ours may be called as what objects inherit.
    const of = (banned: Readonly<Record<string, string>>) =>
      Object.hasOwn(banned, name) ? banned[name] : undefined;
    const inClient = folderOf(source.path) === "client" ? of(BANNED_IN_CLIENT) : undefined;
    const instead = of(BANNED_CALLS) ?? inClient;
    if (instead !== undefined && isCallee) return ban(name, instead);
    if (/^Bun\.\w+$/.test(name)) return ban(name, "a seam of core/io.ts or an injected function");
  }
  if (ts.isNewExpression(node)) {
    const name = dottedName(node.expression);
    if (name === "Date" && (node.arguments?.length ?? 0) === 0) {
      return ban("new Date()", "clock.wallMs()");
    }
    if (name === "Worker") return ban("new Worker", "Offload of core/io.ts");
  }
  return null;
}

/** Seamed folders take time, chance and I/O from `core/io.ts`. */
export function bannedApis(source: Source): Finding[] {
  if (isTest(source.path) || !SEAMED.includes(folderOf(source.path))) return [];
  if (EXEMPT.some((prefix) => source.path.startsWith(prefix))) return [];
  const findings: Finding[] = [];
  visit(source.tree, (node) => {
    const finding = bannedAt(source, node);
    if (finding !== null) findings.push(finding);
  });
  for (const { specifier, node } of importsOf(source)) {
    const instead = BANNED_MODULES[specifier] ??
      (specifier === "bun" || specifier.startsWith("bun:") ? "a seam of core/io.ts" : undefined);
    if (instead === undefined) continue;
    findings.push(at(source, node, `${specifier} is banned here, use ${instead}`));
  }
  return findings;
}

// ---------------------------------------------------------------------------------------------
// Tests that nobody runs

/**
 * Test files that no command runs. `commands` are those of all suites, as words: a test runs if one of
 * them is its path or a folder that it is in. Or a program under tests/ names its file.
 */
export function idleTests(sources: readonly Source[], commands: readonly string[]): Finding[] {
  const programs = sources.filter(({ path }) =>
    path.startsWith("tests/") && !/^tests\/tidy|\.test\.ts$/.test(path)
  );
  return sources.filter(({ path }) => {
    if (!path.endsWith(".test.ts")) return false;
    const isNamed = commands.some((word) => path === word || path.startsWith(`${word}/`));
    const name = path.slice(path.lastIndexOf("/") + 1);
    const folder = path.slice(0, path.lastIndexOf("/"));
    return !isNamed && !programs.some(({ text }) => text.includes(name) && text.includes(folder));
  }).map(({ path }) => ({
    path,
    line: 1,
    message: "no suite runs this test; name it or its folder in tests/suites.ts or `make test`",
  }));
}

// ---------------------------------------------------------------------------------------------
// Dead files

/** Product files that no entry point reaches. `entries` are paths; tests reach only test files. */
export function deadFiles(sources: readonly Source[], entries: readonly string[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const queue = entries.filter((path) => byPath.has(path));
  for (const test of sources) {
    if (isTest(test.path) || test.path.startsWith("bench/")) reached.add(test.path);
  }
  while (queue.length > 0) {
    const path = queue.pop()!;
    if (reached.has(path)) continue;
    reached.add(path);
    const source = byPath.get(path);
    if (source === undefined) continue;
    for (const { specifier } of importsOf(source)) {
      const target = resolveImport(path, specifier);
      if (target !== null && byPath.has(target)) queue.push(target);
    }
  }
  return sources.filter((source) => !reached.has(source.path)).map((source) => ({
    path: source.path,
    line: 1,
    message: "no entry point imports this file; import it where it belongs or delete it",
  }));
}

// ---------------------------------------------------------------------------------------------
// Handlers

/** Every handler file is named by its key, says what it serves and declares its authorization. */
export function handlerShape(source: Source): Finding[] {
  const name = /^broker\/handlers\/(\d\d)-[a-z-]+\.ts$/.exec(source.path);
  if (name === null || isTest(source.path)) return [];
  const findings: Finding[] = [];
  let declaresAuthorization = false;
  visit(source.tree, (node) => {
    const isMember = ts.isPropertyAssignment(node) || ts.isMethodDeclaration(node) ||
      ts.isShorthandPropertyAssignment(node);
    if (isMember && node.name.getText(source.tree) === "authorize") declaresAuthorization = true;
  });
  const fail = (message: string) => findings.push({ path: source.path, line: 1, message });
  if (!declaresAuthorization) {
    fail("handler without authorization; declare `authorize` with its resources and operations");
  }
  if (!/^\/\*\*[\s\S]*?\*\//.test(source.text)) {
    fail("handler without header comment; say which versions it serves, behaviour and KIPs");
  }
  return findings;
}

// ---------------------------------------------------------------------------------------------
// Function length

/** The ratchet's bound: no function is longer, save those that are listed with their length. */
export const FUNCTION_LINES_MAX = 70;

function functionName(source: Source, node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText(source.tree);
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const parent = node.parent;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name.getText(source.tree);
  }
  return "(anonymous)";
}

/**
 * Functions of over `FUNCTION_LINES_MAX` lines. `allowed` maps `path:name` to the length it has
 * today: one that grows, and one that no longer needs its entry, are findings too.
 */
export function functionLength(
  sources: readonly Source[],
  allowed: Readonly<Record<string, number>>,
): Finding[] {
  const findings: Finding[] = [];
  const used = new Set<string>();
  for (const source of sources) {
    if (isTest(source.path)) continue;
    visit(source.tree, (node) => {
      if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
      const first = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line;
      const lines = source.tree.getLineAndCharacterOfPosition(node.end).line - first + 1;
      if (lines <= FUNCTION_LINES_MAX) return;
      const key = `${source.path}:${functionName(source, node)}`;
      const limit = allowed[key] ?? FUNCTION_LINES_MAX;
      if (limit >= lines) used.add(key);
      else findings.push(at(source, node, `${key} has ${lines} lines, at most ${limit}; split it`));
    });
  }
  for (const key of Object.keys(allowed)) {
    if (!used.has(key) && !findings.some((finding) => finding.message.startsWith(`${key} `))) {
      findings.push({
        path: "tests/tidy.test.ts",
        line: 1,
        message: `${key} is short now; remove it from the list`,
      });
    }
  }
  return findings;
}

// ---------------------------------------------------------------------------------------------
// Text

const SILENCED = "silenced type error; mend the type";
const BANNED_TEXT: readonly { pattern: RegExp; message: string }[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b/, message: "left-over marker; finish it or open an issue" },
  { pattern: /\b(it|test|describe)\.(only|todo)\(/, message: "focused or empty test; finish it" },
  // In a test `@ts-expect-error: reason` says what must not compile.
  { pattern: /@ts-(ignore|nocheck|expect-error(?!: ))/, message: SILENCED },
  { pattern: /(^|["'\s])\/(work|root|home)\//, message: "path of one machine; derive or pass it" },
];

/** Words and marks that do not belong in sources. */
export function bannedText(source: Source): Finding[] {
  if (source.path.startsWith("tests/tidy")) return [];
  const findings: Finding[] = [];
  source.text.split("\n").forEach((text, index) => {
    const isExpected = text.includes("@ts-expect-error") && !source.path.endsWith(".test.ts");
    if (isExpected) findings.push({ path: source.path, line: index + 1, message: SILENCED });
    for (const { pattern, message } of BANNED_TEXT) {
      if (pattern.test(text)) findings.push({ path: source.path, line: index + 1, message });
    }
  });
  return findings;
}
