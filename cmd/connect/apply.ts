/** `kstream connect create` and `apply`: from files to a worker. */
import type { ConfigDocument } from "../../connect/config/config-file.ts";
import type { RawConfig } from "../../connect/config/parse.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { throwFailures } from "../admin-command.ts";
import { say } from "../terminal.ts";
import { configAnswer } from "./answers.ts";
import { readConfigFiles } from "./config-files.ts";
import { askWorker, pathOf, read } from "./rest-client.ts";
import type { WorkerOptions } from "./rest-client.ts";

/** Makes connectors that are not there yet. */
export async function createConnectors(
  files: readonly string[],
  options: WorkerOptions & { readonly state?: string | undefined },
): Promise<void> {
  await each(await readConfigFiles(files), async ({ config }) => {
    const name = config["name"] ?? "";
    const state = options.state === undefined ? {} : { initial_state: options.state.toUpperCase() };
    const body = { name, config, ...state };
    await askWorker(options, { method: "POST", path: "/connectors", body });
    say(`${name}: created`);
  });
}

/** Makes connectors as the files say; those that are so already are not touched. */
export async function applyConfigs(
  paths: readonly string[],
  options: WorkerOptions & { readonly dryRun?: true },
): Promise<void> {
  await each(await readConfigFiles(paths), async ({ config }) => {
    const name = config["name"] ?? "";
    const there = await configOf(name, options);
    const changes = there === null ? null : changedKeys(there, config);
    if (changes !== null && changes.length === 0) return say(`${name}: unchanged`);
    if (options.dryRun !== true) {
      const path = pathOf(name, "/config");
      await askWorker(options, { method: "PUT", path, body: config });
    }
    const what = changes === null ? "created" : `changed: ${changes.join(", ")}`;
    say(`${name}: ${options.dryRun === true ? "would be " : ""}${what}`);
  });
}

async function each(
  documents: readonly ConfigDocument[],
  body: (document: ConfigDocument) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const document of documents) {
    try {
      await body(document);
    } catch (error) {
      if (!(error instanceof OperatorError) || error.exitCode === 3) throw error;
      const place = `${document.file}:${document.line}`;
      failures.push(new OperatorError(`${place}: ${error.message}`, "", "", error.exitCode));
    }
  }
  throwFailures(failures);
}

/** Null: there is none. */
async function configOf(name: string, options: WorkerOptions): Promise<RawConfig | null> {
  const path = pathOf(name, "/config");
  const answer = await askWorker(options, { method: "GET", path }, [404]);
  if (answer.status === 404) return null;
  const config = read(configAnswer, answer, path);
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => value === null ? [] : [[key, value]]),
  );
}

/** Keys that differ, by name. */
function changedKeys(there: RawConfig, wanted: RawConfig): string[] {
  const keys = new Set([...Object.keys(there), ...Object.keys(wanted)]);
  return [...keys].filter((key) => there[key] !== wanted[key]).sort();
}
