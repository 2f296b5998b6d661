/** `kstream connect new`: a connector that runs, to begin with. */
import { join } from "node:path";
import { makeFolder, nameOfFolder } from "../new-folder.ts";
import { print } from "../output.ts";
import { projectFiles } from "./new/project-files.ts";
import { sinkFiles } from "./new/sink-files.ts";
import { sourceFiles } from "./new/source-files.ts";

/** Makes a folder with a connector, its config, a test, and what editors want. Throws `OperatorError`. */
export async function newConnector(
  folder: string,
  options: { readonly sink?: true },
  version: string,
): Promise<void> {
  const name = nameOfFolder(folder, "a connector", "my-source");
  const kind = options.sink === true ? "sink" : "source";
  const own = kind === "sink" ? sinkFiles(name) : sourceFiles(name);
  const files = { ...own, ...projectFiles(name, kind, version) };
  makeFolder(folder, files);
  const config = join(folder, `${name}.yaml`);
  await print(`made ${folder}: ${Object.keys(files).join(", ")}

Try it:
  kstream connect validate ${config} --plugins ${folder}
  kstream connect test ${config} --plugins ${folder}
  kstream connect run ${config} --plugins ${folder}
`);
}
