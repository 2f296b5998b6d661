/** Files of configs as commands are given them: single ones, and folders of them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigFileError, parseConfigFile } from "../../connect/config/config-file.ts";
import type { ConfigDocument } from "../../connect/config/config-file.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";

const ENDINGS = /\.(ya?ml|json|properties)$/;

/** All configs, in the order of the arguments, files of a folder by name. Throws `OperatorError`. */
export async function readConfigFiles(paths: readonly string[]): Promise<ConfigDocument[]> {
  const files = (await Promise.all(paths.map(expand))).flat();
  if (files.length === 0) {
    const where = paths.join(", ");
    throw new OperatorError(`there is no config in ${where}`, "", "files end in .yaml", 2);
  }
  const documents = (await Promise.all(files.map(readOne))).flat();
  for (const document of documents) named(document, documents);
  return documents;
}

async function expand(path: string): Promise<string[]> {
  try {
    if (path === "-" || !(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names.filter((name) => ENDINGS.test(name)).sort().map((name) => join(path, name));
  } catch (error) {
    throw new OperatorError(`cannot read ${path}`, reasonOf(error), "", 2);
  }
}

async function readOne(file: string): Promise<ConfigDocument[]> {
  try {
    return parseConfigFile(
      file,
      file === "-" ? await Bun.stdin.text() : await readFile(file, "utf8"),
    );
  } catch (error) {
    if (error instanceof ConfigFileError) throw new OperatorError(error.message, "", "", 2);
    throw new OperatorError(`cannot read ${file}`, reasonOf(error), "", 2);
  }
}

/** Refuses a connector without a name, or with one that another has. */
function named(document: ConfigDocument, all: readonly ConfigDocument[]): void {
  const { file, line, config } = document;
  const name = config["name"];
  if (name === undefined || name === "") {
    throw new OperatorError(`${file}:${line}: the connector has no name`, "", "add: name: …", 2);
  }
  const other = all.find((each) => each !== document && each.config["name"] === name);
  if (other === undefined) return;
  const where = `${other.file}:${other.line}`;
  throw new OperatorError(`${file}:${line}: "${name}" is the name of another`, where, "", 2);
}
