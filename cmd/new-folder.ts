/** Folders that commands make for somebody to begin in. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** The last part of a path as the name of `what`, as in `my-source`. Throws `OperatorError`. */
export function nameOfFolder(folder: string, what: string, example: string): string {
  const name = basename(folder);
  if (NAME.test(name)) return name;
  throw new OperatorError(`"${name}" is no name of ${what}`, "", `write it as ${example}`, 2);
}

/** Makes a folder with these files, by name. Throws `OperatorError` where it is there, with files. */
export function makeFolder(folder: string, files: Readonly<Record<string, string>>): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new OperatorError(`${folder} is there and not empty`, "", "name another folder", 2);
  }
  try {
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  } catch (error) {
    throw new OperatorError(`cannot write ${folder}`, reasonOf(error), "");
  }
}

/** What editors and runners of tests want of a module that imports kstream. */
export function packageFiles(
  { name, ...more }: { readonly name: string; readonly [field: string]: unknown },
  version: string,
): Readonly<Record<string, string>> {
  const compiler = {
    target: "esnext",
    module: "nodenext",
    lib: ["esnext"],
    types: ["node"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  };
  const whole = {
    ...{ name, version: "0.1.0", private: true, type: "module" },
    ...more,
    devDependencies: { kstream: `^${version}`, "@types/node": "^24.0.0" },
  };
  return {
    "package.json": json(whole),
    "tsconfig.json": json({ compilerOptions: compiler, include: ["*.ts"] }),
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
