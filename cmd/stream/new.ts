/** `kstream stream new`: an application that runs, to begin with. */
import { join } from "node:path";
import { makeFolder, nameOfFolder } from "../new-folder.ts";
import { print } from "../output.ts";
import { appFiles } from "./new/app-files.ts";

/** Makes a folder with an application, a test, and what editors want. Throws `OperatorError`. */
export async function newApp(folder: string, version: string): Promise<void> {
  const name = nameOfFolder(folder, "an application", "word-counts");
  const files = appFiles(name, version);
  makeFolder(folder, files);
  const app = join(folder, name);
  await print(`made ${folder}: ${Object.keys(files).join(", ")}

Try it:
  kstream stream describe ${app}.ts
  kstream stream test ${app}.test.ts
  kstream stream run ${app}.ts
`);
}
