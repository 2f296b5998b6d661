/** `kstream connect validate`: whether configs could be run, without a worker and without beginning. */
import { formatProblem } from "../../connect/config/config-file.ts";
import type { ConfigDocument } from "../../connect/config/config-file.ts";
import type { Hosts } from "../../connect/host/host.ts";
import { makeWorker } from "../../connect/host/spread-worker.ts";
import { MemoryOffsetStore } from "../../connect/offsets/memory-offset-store.ts";
import type { Plugins } from "../../connect/plugins/plugins.ts";
import { pipelineOf } from "../../connect/worker/pipeline-of.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { silentLogger } from "../../core/logger.ts";
import { clientIo } from "../client.ts";
import { count, print } from "../output.ts";
import { say } from "../terminal.ts";
import { readConfigFiles } from "./config-files.ts";
import { LEASE_ALONE_MS, type PluginFlags, pluginsAndHosts } from "./hosts/worker-hosts.ts";
import { ownSecrets } from "./worker-parts.ts";

/** Prints `file:line: what is wrong` for each problem; exit code 2 if there is any. */
export async function validateConfigs(
  paths: readonly string[],
  options: PluginFlags & { readonly offline?: true },
): Promise<void> {
  const documents = await readConfigFiles(paths);
  const all = { ...options, allowExec: true };
  const parts = await pluginsAndHosts(all, { leaseMs: LEASE_ALONE_MS });
  const problems = await problemsOf(documents, { ...parts, offline: options.offline === true });
  for (const { line } of problems) await print(`${line}\n`);
  if (problems.length > 0) {
    throw new OperatorError(`${count(problems.length, "problem")} found`, "", "", 2);
  }
  say(`${count(documents.length, "config")} well`);
}

/** A problem of a config, with its place. */
interface PlacedProblem {
  readonly line: string;
  /** The config may be right: its target is not there now. */
  readonly isPassing: boolean;
}

/** All problems of the configs. Nothing runs; targets are asked unless `offline`. */
export async function problemsOf(
  documents: readonly ConfigDocument[],
  options: { readonly plugins: Plugins; readonly hosts: Hosts | null; readonly offline?: boolean },
): Promise<PlacedProblem[]> {
  const worker = makeWorker({
    world: {
      io: clientIo,
      client: { brokers: [] },
      codecs: bunCodecs,
      offsets: new MemoryOffsetStore(),
      log: silentLogger,
      settings: { groupId: "", offsetFlushIntervalMs: 1, taskShutdownTimeoutMs: 1 },
    },
    plugins: options.plugins,
    secrets: ownSecrets,
    pipelineOf,
    isOffline: options.offline === true,
    listener: { connector: () => {}, task: () => {}, changed: () => {}, topic: () => {} },
  }, options.hosts);
  const placed: PlacedProblem[] = [];
  for (const document of documents) {
    for (const problem of await worker.validate(document.config)) {
      const line = formatProblem(document, problem);
      placed.push({ line, isPassing: problem.isPassing === true });
    }
  }
  await worker.close();
  return placed;
}
