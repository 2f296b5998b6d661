/** `kstream connect run`: connectors of files, in this process, until they are done or it is stopped. */
import type { ConfigDocument } from "../../connect/config/config-file.ts";
import { HerderError } from "../../connect/herder/errors.ts";
import { DEFAULT_RESTARTS } from "../../connect/herder/restarts.ts";
import type { WorkerHerder } from "../../connect/herder/worker-herder.ts";
import { FileOffsetStore } from "../../connect/offsets/file-offset-store.ts";
import type { OffsetStore } from "../../connect/offsets/offset-store.ts";
import { openTopicOffsets } from "../../connect/offsets/open-topic-offsets.ts";
import { openAloneWorker } from "../../connect/open-alone.ts";
import type { TaskId } from "../../connect/worker/status.ts";
import { BunDisk } from "../../core/io/bun/disk.ts";
import type { Logger } from "../../core/logger.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { clientIo, clientOptions } from "../client.ts";
import type { SecurityFlags } from "../security.ts";
import { onInterrupt } from "../terminal.ts";
import { readConfigFiles } from "./config-files.ts";
import { problemsOf } from "./validate.ts";
import { LEASE_ALONE_MS, type PluginFlags, pluginsAndHosts } from "./hosts/worker-hosts.ts";
import { ownSecrets, stderrLogger } from "./worker-parts.ts";
import { whileTellingSilence } from "./tell-silence.ts";

export interface RunOptions extends SecurityFlags, PluginFlags {
  readonly brokers: string;
  /** Seconds. */
  readonly timeout: number;
  readonly offsetsTopic: string;
  readonly offsetsFile?: string | undefined;
  readonly restarts: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "text" | "json";
}

/** Where a worker alone keeps offsets in the cluster. */
export const OFFSETS_TOPIC = "kstream-connect-offsets";
const OFFSET_PARTITIONS = 5;
const OFFSET_FLUSH_MS = 5000;
const TASK_SHUTDOWN_MS = 10_000;

/**
 * Runs until all sources have come to their end and are safe, where there are only such, or until
 * SIGINT or SIGTERM. Throws an `OperatorError` where a connector cannot begin or has failed for good.
 */
export async function runConnectors(files: readonly string[], options: RunOptions): Promise<void> {
  const documents = await readConfigFiles(files);
  const parts = await pluginsAndHosts(options, { leaseMs: LEASE_ALONE_MS });
  const logger = stderrLogger(options.logLevel, options.logFormat);
  await requireWell(documents, parts, logger);
  const offsets = await openOffsets(options, logger);
  const watch = new Watch(options.restarts);
  const herder = openAloneWorker({
    io: clientIo,
    client: clientOptions(options),
    codecs: bunCodecs,
    logger,
    ...parts,
    secrets: ownSecrets,
    offsets,
    offsetFlushIntervalMs: OFFSET_FLUSH_MS,
    taskShutdownTimeoutMs: TASK_SHUTDOWN_MS,
    restarts: { ...DEFAULT_RESTARTS, maxAttempts: options.restarts },
    heard: watch,
  });
  try {
    await herder.start();
    for (const document of documents) await put(herder, document);
    watch.begin(herder);
    const stopped = onInterrupt();
    await Promise.race([
      watch.ended,
      new Promise((resolve) => stopped.addEventListener("abort", resolve, { once: true })),
    ]);
  } finally {
    await herder.close();
  }
}

async function openOffsets(options: RunOptions, logger: Logger): Promise<OffsetStore> {
  if (options.offsetsFile !== undefined) {
    return new FileOffsetStore(new BunDisk(null), options.offsetsFile);
  }
  const client = clientOptions(options);
  const parts = { io: clientIo, client, codecs: bunCodecs, log: logger };
  return await whileTellingSilence(options, logger, () =>
    openTopicOffsets(parts, {
      topic: options.offsetsTopic,
      partitions: OFFSET_PARTITIONS,
      replicationFactor: -1,
    }));
}

/**
 * Throws `OperatorError` with what is wrong first, and its line. A target that is not there now may
 * come: its connectors begin, and try again.
 */
async function requireWell(
  documents: readonly ConfigDocument[],
  parts: Parameters<typeof problemsOf>[1],
  logger: Logger,
): Promise<void> {
  const problems = await problemsOf(documents, parts);
  for (const { line, isPassing } of problems) {
    if (isPassing) logger.warn("a target is not there yet", { why: line });
  }
  const [first, ...others] = problems.filter(({ isPassing }) => !isPassing);
  if (first === undefined) return;
  const hint = others.length === 0 ? "" : "see all: kstream connect validate";
  throw new OperatorError(first.line, "", hint, 2);
}

/** Throws `OperatorError`. */
async function put(herder: WorkerHerder, { config, file, line }: ConfigDocument): Promise<void> {
  try {
    await herder.putConfig(config["name"] ?? "", config, { mayReplace: true });
  } catch (error) {
    if (error instanceof HerderError) throw new OperatorError(`${file}:${line}`, error.message, "");
    throw error;
  }
}

/** What has ended, and whether anything goes on. */
class Watch {
  readonly #ended = Promise.withResolvers<void>();
  readonly #finished = new Set<string>();
  readonly #failures = new Map<string, number>();
  #herder: WorkerHerder | null = null;

  constructor(readonly restarts: number) {}

  /** Resolves when all that there is has come to its end; rejects when something has failed for good. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  begin(herder: WorkerHerder): void {
    this.#herder = herder;
    this.#look();
  }

  connector(name: string, status: { readonly state: string; readonly trace: string | null }): void {
    this.#failed(name, status);
  }

  task(
    { connector, task }: TaskId,
    status: { readonly state: string; readonly trace: string | null },
  ): void {
    this.#failed(`${connector}-${task}`, status);
  }

  finished({ connector, task }: TaskId): void {
    this.#finished.add(`${connector}-${task}`);
    this.#look();
  }

  #failed(who: string, { state, trace }: { state: string; trace: string | null }): void {
    if (state !== "FAILED") return;
    const failures = (this.#failures.get(who) ?? 0) + 1;
    this.#failures.set(who, failures);
    if (failures <= this.restarts) return;
    const why = (trace ?? "").split("\n")[0] ?? "";
    this.#ended.reject(new OperatorError(`${who} has failed`, why, ""));
  }

  #look(): void {
    const herder = this.#herder;
    if (herder === null) return;
    const tasks = herder.connectors().flatMap((name) => herder.tasks(name));
    const isOver = tasks.length > 0 &&
      tasks.every(({ id }) => this.#finished.has(`${id.connector}-${id.task}`));
    if (isOver) this.#ended.resolve();
  }
}
