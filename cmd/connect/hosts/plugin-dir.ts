/** The modules of a folder of connectors (`--plugins`). */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { OperatorError } from "../../../core/operator-error.ts";
import { reasonOf } from "../../reason.ts";

/** A file that may be a connector. */
export interface FoundModule {
  /** Absolute. */
  readonly path: string;
  /** Names besides its own: `./orders.ts`, `orders`. */
  readonly names: readonly string[];
}

const ENDING = /\.(ts|mts|js|mjs)$/;
const NO_CONNECTOR = /^[._]|\.(test|spec|d)\.[a-z]+$|\.config\.[a-z]+$/;
const INDEX = ["index.ts", "index.mts", "index.js", "index.mjs"];
/** What npm packages of connectors are called, where they do not say `"kstream": {"connector": …}`. */
const PACKAGE = /^(@[^/]+\/)?kstream-connect-/;

/**
 * `DIR/name.ts`, `DIR/name/index.ts` and packages in `DIR/node_modules`. What begins with `_` or a dot,
 * and tests, are not looked at. Throws an `OperatorError` where there is no such folder.
 */
export function modulesIn(folder: string): FoundModule[] {
  const dir = resolve(folder);
  const found: FoundModule[] = [];
  for (const name of namesIn(dir, folder)) {
    if (NO_CONNECTOR.test(name) || name === "node_modules") continue;
    const path = join(dir, name);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      const index = INDEX.map((file) => join(path, file)).find((file) => existsSync(file));
      if (index !== undefined) found.push(named(dir, index, name));
    } else if (ENDING.test(name)) {
      found.push(named(dir, path, basename(name).replace(ENDING, "")));
    }
  }
  return [...found, ...packagesIn(join(dir, "node_modules"))];
}

function namesIn(dir: string, folder: string): string[] {
  try {
    return readdirSync(dir).sort();
  } catch (error) {
    throw new OperatorError(
      `cannot read ${folder}`,
      reasonOf(error),
      "name a folder of connectors with --plugins",
      2,
    );
  }
}

function named(dir: string, path: string, name: string): FoundModule {
  const own = relative(dir, path).replaceAll("\\", "/");
  return { path, names: [`./${own}`, own, name, `./${name}`] };
}

function packagesIn(dir: string): FoundModule[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).sort().flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(dir, name)).map((inner) => `${name}/${inner}`) : [name]
  );
  return names.flatMap((name) => {
    const entry = entryOf(join(dir, name), PACKAGE.test(name));
    return entry === null ? [] : [{ path: entry, names: [name] }];
  });
}

/** The file of a package that is a connector; null: it is none. */
function entryOf(folder: string, isNamedSo: boolean): string | null {
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch {
    return null;
  }
  const said = textAt(manifest, "kstream", "connector");
  if (said === null && !isNamedSo) return null;
  const main = said ?? textAt(manifest, "module") ?? textAt(manifest, "main") ?? "index.js";
  return join(folder, main);
}

function textAt(value: unknown, ...path: readonly string[]): string | null {
  let at: unknown = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null) return null;
    at = Object.entries(at).find(([key]) => key === name)?.[1];
  }
  return typeof at === "string" ? at : null;
}
