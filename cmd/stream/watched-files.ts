/** The files that a module is made of: itself, and what it imports, but for packages. */
import { readFileSync, statSync } from "node:fs";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";

type Loader = "ts" | "tsx" | "js" | "jsx";

const LOADERS: Readonly<Record<string, Loader>> = {
  ...{ ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx" },
  ...{ ".js": "js", ".mjs": "js", ".cjs": "js", ".jsx": "jsx" },
};

/** Absolute. What is imported and is not there is among them, for it may come to be. */
export function filesOfModule(path: string): ReadonlySet<string> {
  const found = new Set<string>();
  const left = [resolve(path)];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    left.push(...importsOf(file));
  }
  return found;
}

/** None where it cannot be read or does not parse, which whoever loads it tells. */
function importsOf(file: string): string[] {
  const loader = LOADERS[extname(file)];
  if (loader === undefined) return [];
  try {
    const transpiler = new Bun.Transpiler({ loader });
    return transpiler.scanImports(readFileSync(file)).flatMap(({ path }) => resolved(path, file));
  } catch {
    return [];
  }
}

function resolved(specifier: string, file: string): string[] {
  const dir = dirname(file);
  try {
    const path = Bun.resolveSync(specifier, dir);
    return isAbsolute(path) && !path.includes("/node_modules/") ? [path] : [];
  } catch {
    if (!specifier.startsWith(".")) return [];
    const path = join(dir, specifier);
    return extname(path) === "" ? [`${path}.ts`, `${path}.js`] : [path];
  }
}

/** What tells a file that was changed from what it was before. */
export function stampsOf(files: Iterable<string>): ReadonlyMap<string, string> {
  return new Map(Array.from(files, (file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    return [file, stat === undefined ? "gone" : `${stat.mtimeMs} ${stat.size} ${stat.ino}`];
  }));
}
