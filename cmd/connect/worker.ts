/** `kstream connect worker`. */
import { readFileSync } from "node:fs";
import { BasicUsers } from "../../connect/rest/basic-users.ts";
import { DEFAULT_RESTARTS } from "../../connect/herder/restarts.ts";
import { openGroupWorker, type OpenWorker } from "../../connect/open-worker.ts";
import { pipelineOf } from "../../connect/worker/pipeline-of.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { bunServeHttp } from "../../core/io/bun/http.ts";
import type { HostPort } from "../../core/io.ts";
import type { Logger, LogLevel } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { clientIo, clientOptions, toOperatorError } from "../client.ts";
import { askTrusting } from "../ask-trusting.ts";
import { readAuthorities, readHttpTls } from "../http-tls.ts";
import { reasonOf } from "../reason.ts";
import type { SecurityFlags } from "../security.ts";
import { listenForSignals } from "../serve/process.ts";
import { type PluginFlags, pluginsAndHosts } from "./hosts/worker-hosts.ts";
import { ownSecrets, stderrLogger } from "./worker-parts.ts";
import { whileTellingSilence } from "./tell-silence.ts";

/** Options of the command. */
export interface RunWorkerOptions extends SecurityFlags, PluginFlags {
  readonly brokers: string;
  readonly timeout: number;
  readonly group: string;
  readonly rest: string;
  readonly restUsers?: string | undefined;
  readonly restCert?: string | undefined;
  readonly restKey?: string | undefined;
  readonly restCa?: string | undefined;
  readonly advertise?: string | undefined;
  readonly configTopic?: string | undefined;
  readonly statusTopic?: string | undefined;
  readonly offsetTopic?: string | undefined;
  readonly replicationFactor: number;
  readonly exactlyOnce?: boolean | undefined;
  /** Seconds. */
  readonly sessionTimeout: number;
  /** Seconds. */
  readonly rebalanceDelay: number;
  /** Seconds. */
  readonly offsetFlushInterval: number;
  /** Seconds. */
  readonly shutdownTimeout: number;
  readonly logLevel: LogLevel;
}

const OFFSET_PARTITIONS = 25;
const STATUS_PARTITIONS = 5;
/** Of the session: so often a worker says that it is there. */
const HEARTBEATS_PER_SESSION = 5;
const LEASES_PER_SESSION = 3;
const REBALANCE_TIMEOUT_MS = 60_000;
/** Once tasks have ended, or had their time, the group is told within it. */
const FAREWELL_MS = 2000;

/** Runs until a signal ends it, or its group sends it away. */
export async function runWorker(options: RunWorkerOptions, version: string): Promise<void> {
  // What is shown of it is for the levels that the REST API sets.
  const logger = stderrLogger("debug", "text");
  const fatal = Promise.withResolvers<never>();
  fatal.promise.catch(() => {});
  const surroundings = { version, logger, onFatal: (error: Error) => fatal.reject(error) };
  const begin = () => startWorker(options, surroundings);
  const worker = await whileTellingSilence(options, logger, begin);
  const { host, port } = worker.address;
  const scheme = options.restCert === undefined ? "http" : "https";
  process.stdout.write(`worker of group ${options.group}: ${scheme}://${host}:${port}\n`);
  const signals = listenForSignals(logger);
  try {
    await inWords(Promise.race([signals.first, fatal.promise]));
  } finally {
    await closeWithin(worker, options.shutdownTimeout * 1000 + FAREWELL_MS, logger);
  }
}

/** Ends it in good order; one whose brokers are gone has nobody to tell, and is left as it is then. */
async function closeWithin(worker: OpenWorker, ms: number, logger: Logger): Promise<void> {
  const late = new AbortController();
  const timer = clientIo.clock.setTimer(ms, () => late.abort());
  if (await nullIfAborted(worker.close().then(() => true), late.signal) === null) {
    logger.warn("the worker has not ended in time and is left: do its brokers answer?", {
      afterMs: ms,
    });
  }
  timer.cancel();
}

/** What a worker is started in. */
export interface WorkerSurroundings {
  readonly version: string;
  /** Writes everything: what is shown is for the levels that the REST API sets. */
  readonly logger: Logger;
  /** The worker is of no use any more; it is still to be closed. */
  readonly onFatal: (error: Error) => void;
  /** All connectors have processes of their own. */
  readonly isAllApart?: boolean;
  /** Variables of the environment that these are not to see. */
  readonly hidden?: (name: string) => boolean;
}

/** Starts a worker of a group. Throws `OperatorError`. */
export async function startWorker(
  options: RunWorkerOptions,
  { version, logger, onFatal, ...apart }: WorkerSurroundings,
): Promise<OpenWorker> {
  const { group: groupId } = options;
  const sessionTimeoutMs = options.sessionTimeout * 1000;
  const topic = (name: string | undefined, suffix: string, partitions: number) => {
    const { replicationFactor } = options;
    return { topic: name ?? `${groupId}-${suffix}`, partitions, replicationFactor };
  };
  // A worker that stands still has lost its work to others when the session is over, of which it may
  // have waited two thirds before: what runs for it must have ended by then.
  const parts = await pluginsAndHosts(options, {
    ...apart,
    leaseMs: sessionTimeoutMs / LEASES_PER_SESSION,
  });
  return await inWords(openGroupWorker({
    io: clientIo,
    client: { ...clientOptions(options), clientId: `connect-${groupId}` },
    codecs: bunCodecs,
    logger,
    logLevel: options.logLevel,
    ...parts,
    secrets: ownSecrets,
    pipelineOf,
    group: {
      groupId,
      sessionTimeoutMs,
      heartbeatIntervalMs: sessionTimeoutMs / HEARTBEATS_PER_SESSION,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      rebalanceMaxDelayMs: options.rebalanceDelay * 1000,
    },
    topics: {
      config: topic(options.configTopic, "configs", 1),
      status: topic(options.statusTopic, "status", STATUS_PARTITIONS),
      offset: topic(options.offsetTopic, "offsets", OFFSET_PARTITIONS),
    },
    isExactlyOnce: options.exactlyOnce === true,
    offsetFlushIntervalMs: options.offsetFlushInterval * 1000,
    taskShutdownTimeoutMs: options.shutdownTimeout * 1000,
    restarts: DEFAULT_RESTARTS,
    rest: {
      serveHttp: bunServeHttp,
      at: address(options.rest, "--rest"),
      tls: readHttpTls("the REST API", {
        cert: ["--rest-cert", options.restCert],
        key: ["--rest-key", options.restKey],
      }, clientIo.clock.wallMs()),
      users: options.restUsers === undefined ? null : usersIn(options.restUsers),
      ask: askTrusting(
        options.restCa === undefined
          ? null
          : readAuthorities("other workers cannot be asked", options.restCa, "--rest-ca"),
      ),
      advertised: options.advertise === undefined
        ? null
        : address(options.advertise, "--advertise"),
      version,
      commit: "",
    },
    onFatal,
  }));
}

async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toOperatorError(error) ?? error;
  }
}

/** Port 0 takes any. */
function address(text: string, flag: string): HostPort {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) < 65_536) return { host, port: Number(port) };
  const what = `${flag} cannot be read: "${text}"`;
  throw new OperatorError(what, "it is no address", "write host:port", 2);
}

function usersIn(path: string): BasicUsers {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new OperatorError(
      `cannot read ${path}`,
      reasonOf(error),
      "name a file for --rest-users",
      2,
    );
  }
  return BasicUsers.parse(text, path);
}
