/** `kstream stream run`: an application of the user's, as a member of its group, until it is stopped. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigFileError, parseConfigFile } from "../../connect/config/config-file.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { BunDisk } from "../../core/io/bun/disk.ts";
import { DiskError } from "../../core/io.ts";
import { createLogger, type Logger, type LogLevel } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { memoryState } from "../../stream/runtime/memory-state.ts";
import { StreamsApp } from "../../stream/runtime/streams-app.ts";
import { parseStreamsConfig, type StreamsConfig } from "../../stream/runtime/streams-config.ts";
import { StateDirectory } from "../../stream/stores/state-directory.ts";
import { outerSinkTopics, outerSourceTopics } from "../../stream/runtime/topic-plan.ts";
import { type Topology, TopologyError } from "../../stream/topology/topology.ts";
import { clientIo, clientOptions, toOperatorError } from "../client.ts";
import { reasonOf } from "../reason.ts";
import type { SecurityFlags } from "../security.ts";
import { onInterrupt, progressOnTerminal, say } from "../terminal.ts";
import { type AppConfig, loadApp, parseSettings } from "./load-app.ts";
import { openQueries } from "./queries.ts";
import { Figures } from "./figures.ts";

export interface RunOptions extends SecurityFlags {
  /** Where stores can be asked: HOST:PORT. */
  readonly queries?: string | undefined;
  /** Where other members find that. */
  readonly queriesAdvertise?: string | undefined;
  /** A file. */
  readonly queriesToken?: string | undefined;
  readonly brokers: string;
  /** Seconds. */
  readonly timeout: number;
  readonly config?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}

/**
 * Runs an application until SIGINT or SIGTERM. `isBrokersGiven`: by the user, so that it goes before what
 * the application says. Throws an `OperatorError` where it cannot begin or go on.
 */
export async function runApp(
  path: string,
  options: RunOptions,
  isBrokersGiven: boolean,
): Promise<void> {
  const given = givenConfig(options);
  const loaded = await loadApp(path, given);
  const config = parseStreamsConfig(loaded.config);
  const brokers = isBrokersGiven ? options.brokers : config.bootstrapServers ?? options.brokers;
  await runTopology(loaded.topology, config, { ...options, brokers });
}

/** Settings of --config, and over them those of --set. */
export function givenConfig({ config, set }: Pick<RunOptions, "config" | "set">): AppConfig {
  return { ...fileConfig(config), ...parseSettings(set) };
}

/** What runs beside a topology. */
export interface RunHooks {
  /** It is over then, also without a signal. */
  readonly until?: Promise<void>;
  /** Says nothing but what goes wrong. */
  readonly isQuiet?: boolean;
}

/** Runs until SIGINT, SIGTERM or `until`. Throws an `OperatorError` where it cannot begin or go on. */
export async function runTopology(
  topology: Topology,
  config: StreamsConfig,
  options: RunOptions,
  { until, isQuiet = false }: RunHooks = {},
): Promise<void> {
  const { brokers } = options;
  const isText = options.logFormat === "text" && !isQuiet;
  const progress = isText ? progressOnTerminal(false) : null;
  const logger = loggerOf(options, progress);
  const server = openQueries(options, clientIo.clock, logger);
  const isKept = topology.stores.size > 0 && !config.isStateInMemory;
  let directory: StateDirectory | null;
  try {
    directory = isKept ? openState(config, logger) : null;
  } catch (error) {
    await server?.close();
    throw error;
  }
  const app = new StreamsApp({
    io: clientIo,
    client: { ...clientOptions(options), clientId: config.applicationId },
    codecs: bunCodecs,
    topology,
    config,
    logger,
    state: directory ?? memoryState,
    processId: directory?.processId ?? crypto.randomUUID(),
    endpoint: server?.endpoint ?? null,
  });
  server?.answerFor(app);
  const stopped = onInterrupt();
  const interrupted = new Promise<void>((resolve) => {
    stopped.addEventListener("abort", () => resolve(), { once: true });
    void until?.then(resolve);
  });
  const figures = new Figures(clientIo.clock, () => app.status(), logger, progress);
  try {
    const started = app.start().then(() => {
      if (isText) introduce(topology, config, brokers, server?.url ?? null);
      if (!isQuiet) figures.start();
      if (directory !== null) clean(directory, config, logger);
      return interrupted;
    });
    await inWords(Promise.race([started, interrupted, app.failed]));
    logger.info("stopping: committing what is done");
  } finally {
    figures.stop();
    await server?.close();
    await app.close();
    directory?.close();
  }
}

/** Throws an `OperatorError` where another process has it. */
function openState({ stateDir, applicationId }: StreamsConfig, logger: Logger): StateDirectory {
  try {
    const io = { disk: new BunDisk(null), ...clientIo, logger };
    return StateDirectory.open(io, { dir: resolve(stateDir), applicationId });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const what = `cannot keep state in ${stateDir}`;
    throw new OperatorError(what, error.message, "set state.dir to a folder that can be written");
  }
}

/** Now and then removes state of tasks that have been others' for long; not at once, before it has its own. */
function clean(
  directory: StateDirectory,
  { stateCleanupDelayMs }: Pick<StreamsConfig, "stateCleanupDelayMs">,
  logger: Logger,
): void {
  clientIo.clock.setTimer(stateCleanupDelayMs, () => {
    directory.removeUnused(stateCleanupDelayMs).then((tasks) => {
      if (tasks.length === 0) return;
      logger.info("state of others' tasks removed", { tasks: tasks.join(",") });
    }, (error: unknown) => logger.warn("state is not cleaned", { error: reasonOf(error) }));
    clean(directory, { stateCleanupDelayMs }, logger);
  });
}

/** Lines below those that show how it goes. */
function loggerOf(
  { logLevel, logFormat }: RunOptions,
  progress: ((text: string) => void) | null,
): Logger {
  return createLogger({
    level: logLevel,
    format: logFormat,
    wallMs: () => clientIo.clock.wallMs(),
    write: (line) => {
      progress?.("");
      say(line);
    },
  });
}

function introduce(
  topology: Topology,
  config: StreamsConfig,
  brokers: string,
  queries: string | null,
): void {
  const facts: [string, string][] = [
    ["application", config.applicationId],
    ["cluster", brokers],
    ["reads", outerSourceTopics(topology).join(", ")],
    ["writes", outerSinkTopics(topology).join(", ") || "nothing that is always the same"],
    ["stores", [...topology.stores.keys()].join(", ") || "none"],
    ["state", stateText(topology, config)],
    ["guarantee", config.isExactlyOnce ? "exactly-once" : "at-least-once"],
    ...(queries === null ? [] : [["queries", queries] satisfies [string, string]]),
  ];
  for (const [name, value] of facts) say(`${`${name}:`.padEnd(13)}${value}`);
  say("running; Ctrl-C stops it in good order");
}

function stateText(
  { stores }: Topology,
  { isStateInMemory, stateDir, applicationId }: StreamsConfig,
): string {
  if (stores.size === 0) return "none";
  return isStateInMemory ? "in memory" : `${stateDir}/${applicationId}`;
}

function fileConfig(path: string | undefined): AppConfig {
  if (path === undefined) return {};
  try {
    const documents = parseConfigFile(path, readFileSync(path, "utf8"));
    return documents[0]?.config ?? {};
  } catch (error) {
    const why = error instanceof ConfigFileError ? error.message : reasonOf(error);
    throw new OperatorError(`cannot read ${path}`, why, "name a file for --config", 2);
  }
}

async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TopologyError) throw new OperatorError(error.message, "", "");
    throw toOperatorError(error) ?? error;
  }
}
