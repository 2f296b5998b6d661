/** `kstream stream run`: an application of the user's, as a member of its group, until it is stopped. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigFileError, parseConfigFile } from "../../connect/config/config-file.ts";
import { createLogger, type Logger, type LogLevel } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { parseStreamsConfig, type StreamsConfig } from "../../stream/runtime/streams-config.ts";
import type { StateDirectory } from "../../stream/stores/state-directory.ts";
import { outerSinkTopics, outerSourceTopics } from "../../stream/runtime/topic-plan.ts";
import { shownTopics } from "../../stream/topology/describe.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { clientIo } from "../client.ts";
import { reasonOf } from "../reason.ts";
import { formatDuration } from "../txn/duration.ts";
import type { SecurityFlags } from "../security.ts";
import { onInterrupt, progressOnTerminal, say } from "../terminal.ts";
import { appError } from "./app-error.ts";
import { type AppConfig, loadApp, parseSettings } from "./load-app.ts";
import { type OpenQueries, openQueries } from "./queries.ts";
import { Figures } from "./figures.ts";
import { MemoryKeeper } from "./memory-keeper.ts";
import { openMember } from "./open-member.ts";
import { checkSnapshots } from "./open-snapshots.ts";
import { cleanState, openState } from "./open-state.ts";
import type { RunningApp } from "./running-app.ts";
import { AppThreads } from "./threads/app-threads.ts";
import type { ThreadSource } from "./threads/messages.ts";

export interface RunOptions extends SecurityFlags {
  /** Where stores can be asked: HOST:PORT. */
  readonly queries?: string | undefined;
  /** Where other members find that. */
  readonly queriesAdvertise?: string | undefined;
  /** A file. */
  readonly queriesToken?: string | undefined;
  /** Files. */
  readonly queriesCert?: string | undefined;
  readonly queriesKey?: string | undefined;
  readonly queriesCa?: string | undefined;
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
  const source = { kind: "module" as const, path: resolve(path), given };
  await runTopology(loaded.topology, config, { ...options, brokers }, { source });
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
  /** What threads make it of; null: it has to be in this one. */
  readonly source?: ThreadSource | null;
}

/** Runs until SIGINT, SIGTERM or `until`. Throws an `OperatorError` where it cannot begin or go on. */
export async function runTopology(
  topology: Topology,
  config: StreamsConfig,
  options: RunOptions,
  { until, isQuiet = false, source = null }: RunHooks = {},
): Promise<void> {
  const { brokers } = options;
  const isText = options.logFormat === "text" && !isQuiet;
  const progress = isText ? progressOnTerminal(false) : null;
  const logger = loggerOf(options, progress);
  checkSnapshots(config, logger);
  const server = await openQueries(options, clientIo.clock, logger);
  const isKept = topology.stores.size > 0 && !config.isStateInMemory;
  let directory: StateDirectory | null;
  try {
    directory = isKept ? openState(config, logger) : null;
  } catch (error) {
    await server?.close();
    throw error;
  }
  const app = openApp({ topology, config, options, source, logger, directory, server, progress });
  const stopped = onInterrupt();
  const interrupted = new Promise<void>((resolve) => {
    stopped.addEventListener("abort", () => resolve(), { once: true });
    void until?.then(resolve);
  });
  const figures = new Figures(clientIo.clock, () => app.status(), logger, progress);
  const memory = new MemoryKeeper(clientIo.clock);
  try {
    memory.start();
    const started = app.start().then(() => {
      if (isText) introduce(topology, config, brokers, server?.url ?? null);
      if (!isQuiet) figures.start();
      if (directory !== null) cleanState(directory, config, logger);
      return interrupted;
    });
    await inWords(Promise.race([started, interrupted, app.failed]), topology, config);
    logger.info("stopping: committing what is done");
  } finally {
    figures.stop();
    memory.stop();
    await server?.close();
    await app.close();
    directory?.close();
  }
}

interface AppParts {
  readonly topology: Topology;
  readonly config: StreamsConfig;
  readonly options: RunOptions;
  readonly source: ThreadSource | null;
  readonly logger: Logger;
  readonly directory: StateDirectory | null;
  readonly server: OpenQueries | null;
  readonly progress: ((text: string) => void) | null;
}

/** In this thread, or in several others. */
function openApp(
  { topology, config, options, source, logger, directory, server, progress }: AppParts,
): RunningApp {
  const processId = directory?.processId ?? crypto.randomUUID();
  const { threads } = config;
  if (threads === 1 || source === null) {
    const endpoint = server?.endpoint ?? null;
    const member = openMember({
      ...{ topology, config, options, logger, directory, processId, thread: 1, endpoint },
    });
    server?.answerFor(member);
    return member;
  }
  const isKept = directory !== null;
  const app = new AppThreads({
    ...{ threads, clock: clientIo.clock, logger, log: (line) => write(line, progress) },
    setup: { source, options, processId, isKept, queries: server?.forThreads ?? null },
  });
  server?.answerBy((request) => app.answer(request));
  return app;
}

function write(line: string, progress: ((text: string) => void) | null): void {
  progress?.("");
  say(line);
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
    write: (line) => write(line, progress),
  });
}

function introduce(
  topology: Topology,
  config: StreamsConfig,
  brokers: string,
  queries: string | null,
): void {
  const patterns = [...topology.nodes.values()].flatMap((node) =>
    node.kind === "source" && node.pattern !== undefined ? shownTopics(node) : []
  );
  const facts: [string, string][] = [
    ["application", config.applicationId],
    ["cluster", brokers],
    ["reads", [...outerSourceTopics(topology), ...patterns].join(", ")],
    ["writes", outerSinkTopics(topology).join(", ") || "nothing that is always the same"],
    ["stores", [...topology.stores.keys()].join(", ") || "none"],
    ["state", stateText(topology, config)],
    ...snapshotFacts(topology, config),
    ...(config.threads === 1 ? [] : [
      ["threads", String(config.threads)] satisfies [string, string],
    ]),
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

function snapshotFacts(
  { stores }: Topology,
  { snapshotDir, snapshotIntervalMs, isStateInMemory, applicationId }: StreamsConfig,
): [string, string][] {
  if (stores.size === 0 || snapshotDir === null || isStateInMemory) return [];
  const every = formatDuration(snapshotIntervalMs);
  return [["snapshots", `${snapshotDir}/${applicationId}, every ${every}`]];
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

async function inWords<T>(
  work: Promise<T>,
  topology: Topology,
  { applicationId }: StreamsConfig,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw appError(error, topology, applicationId) ?? error;
  }
}
