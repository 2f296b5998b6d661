/**
 * Builds the npm package into `dist/package/`: JavaScript and types of `client/` by tsc, file by file,
 * `testing/` as a bundle, a manifest, the license and the README. Run by `make package`.
 *
 * The part for Node is checked against the language of Node 20, so that nothing newer slips in, and
 * every example of the README and of docs/client.md against the types of the package.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const OUT = join(ROOT, "dist/package");
const SCRATCH = join(ROOT, "dist/package-build");
/** What Node 20 knows. */
const NODE_20 = ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"];
/** Packages with native code: used where the user has installed them. */
const OPTIONAL = ["@node-rs/crc32", "lz4-napi", "snappy"];

/** The package of an import, on a line that is no comment. */
const IMPORTED = /^(?!\s*(?:\/?\*|\/\/)).*\b(?:from\s+|import\()"([^".][^"]*)"/gm;

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly imports: Readonly<Record<string, string>>;
}

/** Runs tsc over these files with these options besides the usual. */
function compile(name: string, files: readonly string[], options: object): void {
  const config = {
    compilerOptions: {
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
      strict: true,
      skipLibCheck: true,
      rootDir: ROOT,
      ...options,
    },
    files: files.map((file) => join(ROOT, file)),
  };
  const path = join(SCRATCH, `${name}.json`);
  writeFileSync(path, JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { exitCode, stdout } = Bun.spawnSync([
    process.execPath,
    tsc,
    "-p",
    path,
    "--pretty",
    "false",
  ]);
  if (exitCode === 0) return;
  console.error(stdout.toString().split("\n").slice(0, 40).join("\n"));
  console.error(`package: ${name} does not compile`);
  process.exit(1);
}

/** Where Deno keeps the package that another one depends on. */
function typesOf(name: string): string {
  const store = join(ROOT, "node_modules/.deno");
  const folder = readdirSync(store).find((entry) => entry.startsWith(`${name.replace("/", "+")}@`));
  if (folder === undefined) throw new Error(`${name} is not installed`);
  return join(store, folder, "node_modules", name);
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** tsc leaves `.ts` in the specifiers of declarations. */
function mendDeclarations(): void {
  for (const path of walk(join(OUT, "lib")).filter((file) => file.endsWith(".d.ts"))) {
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"'));
  }
}

/** The packages that the emitted JavaScript imports, with the versions of deno.json. */
function dependencies(manifest: Manifest): Record<string, string> {
  const found = new Map<string, string>();
  for (const path of walk(join(OUT, "lib")).filter((file) => file.endsWith(".js"))) {
    for (const match of readFileSync(path, "utf8").matchAll(IMPORTED)) {
      const imported = match[1] ?? "";
      const name = packageOf(imported);
      if (/^(node|bun):|^bun$/.test(imported) || isBuiltin(imported) || OPTIONAL.includes(name)) {
        continue;
      }
      // Of a package of which only parts are imported, the manifest has the name with a slash.
      const specifier = manifest.imports[name] ?? manifest.imports[`${name}/`]?.slice(0, -1);
      if (specifier === undefined) {
        throw new Error(`${path} imports ${imported}, unknown to deno.json`);
      }
      found.set(name, `^${versionOf(specifier)}`);
    }
  }
  return Object.fromEntries([...found].sort());
}

/** `@scope/name` of `@scope/name/part`. */
function packageOf(imported: string): string {
  return imported.split("/").slice(0, imported.startsWith("@") ? 2 : 1).join("/");
}

function versionOf(specifier: string): string {
  return specifier.slice(specifier.lastIndexOf("@") + 1);
}

function packageJson(manifest: Manifest, hasTesting: boolean): object {
  const entry = (file: string) => ({ types: `./lib/${file}.d.ts`, default: `./lib/${file}.js` });
  const peers = OPTIONAL.map((name) => [name, `^${versionOf(manifest.imports[name] ?? "")}`]);
  return {
    name: "kstream",
    version: manifest.version,
    description: "Kafka client: producer, consumer, share consumer, admin. No native code needed.",
    license: manifest.license,
    type: "module",
    engines: { node: ">=20" },
    exports: {
      ".": { bun: entry("client/package/bun"), ...entry("client/package/node") },
      ...(hasTesting ? { "./testing": { bun: entry("testing/index") } } : {}),
      "./connect": entry("connect/index"),
      "./connect/testing": entry("connect/testing/index"),
      "./stream": entry("stream/index"),
      "./stream/testing": entry("stream/testing/index"),
    },
    types: "./lib/client/package/node.d.ts",
    files: ["lib", "README.md", "LICENSE"],
    sideEffects: ["./lib/client/package/bun.js", "./lib/client/package/node.js"],
    dependencies: dependencies(manifest),
    peerDependencies: Object.fromEntries(peers),
    peerDependenciesMeta: Object.fromEntries(OPTIONAL.map((name) => [name, { optional: true }])),
  };
}

/** Every `ts` block of the documentation has to compile against the package as it was built. */
function checkExamples(): void {
  const texts = ["client/package/README.md", "docs/client.md"]
    .map((path) => readFileSync(join(ROOT, path), "utf8")).join("\n");
  const blocks = [...texts.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
  const files = blocks.map((block, index) => {
    const path = `dist/package-build/example-${index}.ts`;
    writeFileSync(join(ROOT, path), `${block}\nexport {};\n`);
    return path;
  });
  compile("examples", files, {
    noEmit: true,
    lib: NODE_20,
    types: ["node"],
    typeRoots: [join(typesOf("@types/node"), "..")],
    paths: {
      kstream: [join(OUT, "lib/client/package/node.d.ts")],
      "kstream/testing": [join(OUT, "lib/testing/index.d.ts")],
    },
  });
}

/** The broker in a few files: hundreds of them would take longer to load than it takes to start. */
async function bundleTesting({ imports }: Manifest): Promise<void> {
  const { success, logs } = await Bun.build({
    entrypoints: [join(ROOT, "testing/index.ts")],
    outdir: join(OUT, "lib/testing"),
    target: "bun",
    splitting: true,
    external: Object.keys(imports),
  });
  if (!success) throw new AggregateError(logs, "testing/ does not bundle");
}

async function main(): Promise<void> {
  for (const folder of [OUT, SCRATCH]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const hasTesting = existsSync(join(ROOT, "testing/index.ts"));
  compile("node-20", ["client/package/node.ts"], {
    noEmit: true,
    allowImportingTsExtensions: true,
    lib: NODE_20,
    types: ["node"],
    typeRoots: [join(typesOf("@types/node"), "..")],
  });
  const emit = {
    outDir: join(OUT, "lib"),
    declaration: true,
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    types: ["bun"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  };
  compile(
    "package",
    [
      "client/package/node.ts",
      "client/package/bun.ts",
      "connect/index.ts",
      "connect/testing/index.ts",
      "stream/index.ts",
      "stream/testing/index.ts",
    ],
    { ...emit, rewriteRelativeImportExtensions: true },
  );
  if (hasTesting) {
    const declarations = { emitDeclarationOnly: true, allowImportingTsExtensions: true };
    compile("testing", ["testing/index.ts"], { ...emit, ...declarations });
    await bundleTesting(manifest);
  }
  mendDeclarations();
  writeFileSync(
    join(OUT, "package.json"),
    `${JSON.stringify(packageJson(manifest, hasTesting), null, 2)}\n`,
  );
  cpSync(join(ROOT, "client/package/README.md"), join(OUT, "README.md"));
  cpSync(join(ROOT, "LICENSE"), join(OUT, "LICENSE"));
  checkExamples();
  console.log(`dist/package: kstream ${manifest.version}`);
}

await main();
