/** `kstream connect new`: a connector that runs, to begin with. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";
import { print } from "../output.ts";
import { projectFiles } from "./new/project-files.ts";
import { sinkFiles } from "./new/sink-files.ts";
import { sourceFiles } from "./new/source-files.ts";

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** Makes a folder with a connector, its config, a test, and what editors want. Throws `OperatorError`. */
export async function newConnector(
  folder: string,
  options: { readonly sink?: true },
  version: string,
): Promise<void> {
  const name = basename(folder);
  if (!NAME.test(name)) {
    throw new OperatorError(`"${name}" is no name of a connector`, "", "write it as my-source", 2);
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new OperatorError(`${folder} is there and not empty`, "", "name another folder", 2);
  }
  const kind = options.sink === true ? "sink" : "source";
  const own = kind === "sink" ? sinkFiles(name) : sourceFiles(name);
  const files = { ...own, ...projectFiles(name, kind, version) };
  try {
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  } catch (error) {
    throw new OperatorError(`cannot write ${folder}`, reasonOf(error), "");
  }
  const config = join(folder, `${name}.yaml`);
  await print(`made ${folder}: ${Object.keys(files).join(", ")}

Try it:
  kstream connect validate ${config} --plugins ${folder}
  kstream connect test ${config} --plugins ${folder}
  kstream connect run ${config} --plugins ${folder}
`);
}
