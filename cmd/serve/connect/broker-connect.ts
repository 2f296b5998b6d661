/**
 * A worker of connectors beside the broker: it talks to it by its listener, as any worker does, and has
 * every connector in a process of its own. Whatever happens to it, the broker goes on: a worker that
 * cannot begin, or that its group sends away, is begun again.
 */
import { readFileSync } from "node:fs";
import {
  ConnectByUrl,
  type ConnectLink,
  type ConnectRequest,
} from "../../../admin/connect-link.ts";
import { formatAddress, type ListenerInfo } from "../../../broker/listeners.ts";
import { type Clock, type HostPort, sleep } from "../../../core/io.ts";
import type { Logger, LogLevel } from "../../../core/logger.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { CONNECT_METRICS } from "../../../connect/metrics/families.ts";
import { type MetricFamily, readOff } from "../../../core/metrics/family.ts";
import type { OpenWorker } from "../../../connect/open-worker.ts";
import type { SecurityFlags } from "../../security.ts";
import { readProfiles } from "../../profile-store.ts";
import { reachable } from "../announce.ts";
import type { ConnectFlags } from "./connect-flags.ts";

export interface BrokerConnectOptions {
  readonly flags: ConnectFlags & { readonly logLevel: LogLevel };
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** It writes everything. */
  readonly workerLogger: Logger;
}

const GROUP = "kstream-connect";
const REST: HostPort = { host: "127.0.0.1", port: 8083 };
const TIMEOUT_SECONDS = 30;
/** A broker that was killed has its connectors back within it. */
const SESSION_SECONDS = 10;
const REBALANCE_DELAY_SECONDS = 5;
const OFFSET_FLUSH_SECONDS = 10;
const SHUTDOWN_SECONDS = 5;
const AGAIN_MS = 5000;
/** How long the broker waits for connectors when it stops. */
const CLOSE_MS = 15_000;

/** See the head of the file. */
export class BrokerConnect implements ConnectLink {
  readonly #options: BrokerConnectOptions;
  readonly #stop = new AbortController();
  #worker: OpenWorker | null = null;
  #listeners: readonly ListenerInfo[] = [];
  #running: Promise<void> | null = null;

  private constructor(options: BrokerConnectOptions, private readonly client: ClientFlags | null) {
    this.#options = options;
  }

  /** Throws an `OperatorError` where the flags cannot be meant so. */
  static async prepare(
    options: BrokerConnectOptions,
    listeners: readonly { readonly protocol?: string | undefined }[],
  ): Promise<BrokerConnect> {
    const { connectProfile } = options.flags;
    if (connectProfile !== undefined) {
      return new BrokerConnect(options, await profileFlags(connectProfile));
    }
    if (!listeners.some(isPlain)) {
      throw new OperatorError(
        "connectors cannot connect to this broker",
        "all its listeners want TLS or users",
        "say how with --connect-profile (kstream profile set), or add a listener on 127.0.0.1",
        2,
      );
    }
    return new BrokerConnect(options, null);
  }

  /** Where its REST API is, as long as the worker runs. */
  get url(): string | null {
    const at = this.#worker?.address ?? null;
    return at === null ? null : `http://${formatAddress(at)}`;
  }

  /** What the admin server wants of it. Rejects while it does not run. */
  async ask(request: ConnectRequest): Promise<Response> {
    const { url } = this;
    if (url === null) throw new Error("the worker is starting");
    const { clock, flags } = this.#options;
    const asked = new URL(url);
    const [user, password] = flags.connectRestUsers === undefined
      ? ["", ""]
      : firstUser(flags.connectRestUsers);
    asked.username = encodeURIComponent(user);
    asked.password = encodeURIComponent(password);
    return await new ConnectByUrl([asked], clock).ask(request);
  }

  /** None while it does not run. */
  metrics(): readonly MetricFamily<unknown>[] {
    const worker = this.#worker;
    return worker === null ? [] : readOff(CONNECT_METRICS, worker.herder.measured());
  }

  /** Begins, once the broker serves, and where. */
  start(listeners: readonly ListenerInfo[]): void {
    this.#listeners = listeners;
    this.#running ??= this.#run();
  }

  /** Ends connectors in good order, or leaves them after their time. */
  async close(): Promise<void> {
    const { clock, logger } = this.#options;
    this.#stop.abort(new Error("the broker stops"));
    const enough = new AbortController();
    const late = sleep(clock, CLOSE_MS, enough.signal).then(
      () => logger.warn("connectors have not ended in time, they are left"),
      () => {},
    );
    await Promise.race([this.#running, late]);
    enough.abort();
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#once();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        logger.error("no connectors run, another try follows", { why, afterMs: AGAIN_MS });
      }
      await sleep(clock, AGAIN_MS, signal).catch(() => {});
    }
  }

  async #once(): Promise<void> {
    const { logger } = this.#options;
    const fatal = Promise.withResolvers<never>();
    fatal.promise.catch(() => {});
    const worker = await this.#open((error) => fatal.reject(error));
    this.#worker = worker;
    logger.info("connectors run beside this broker", { rest: this.url ?? "" });
    const stopped = new Promise<void>((resolve) => {
      if (this.#stop.signal.aborted) resolve();
      this.#stop.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      await Promise.race([stopped, fatal.promise]);
    } finally {
      this.#worker = null;
      await worker.close();
    }
  }

  async #open(onFatal: (error: Error) => void): Promise<OpenWorker> {
    const { flags, version, workerLogger } = this.#options;
    const { startWorker } = await import("../../connect/worker.ts");
    const surroundings = {
      version,
      logger: workerLogger,
      onFatal,
      isAllApart: true,
      // Secrets of the broker are none of theirs.
      hidden: (name: string) => name.startsWith("KSTREAM_"),
    };
    const options = (rest: HostPort) => ({
      ...this.client ?? this.#own(),
      group: flags.connectGroup ?? GROUP,
      rest: flags.connectRest ?? formatAddress(rest),
      restUsers: flags.connectRestUsers,
      replicationFactor: -1,
      exactlyOnce: true,
      allowExec: flags.connectAllowExec,
      plugins: flags.connectPlugins,
      pluginMemory: flags.connectMemory,
      sessionTimeout: SESSION_SECONDS,
      rebalanceDelay: REBALANCE_DELAY_SECONDS,
      offsetFlushInterval: OFFSET_FLUSH_SECONDS,
      shutdownTimeout: SHUTDOWN_SECONDS,
      logLevel: flags.logLevel,
    });
    try {
      return await startWorker(options(REST), surroundings);
    } catch (error) {
      const isTaken = error instanceof OperatorError && error.why === "the port is in use";
      if (!isTaken || flags.connectRest !== undefined) throw error;
      return await startWorker(options({ ...REST, port: 0 }), surroundings);
    }
  }

  #own(): ClientFlags {
    const listener = this.#listeners.find(isPlain);
    if (listener === undefined) throw new Error("there is no listener without TLS and users");
    return { brokers: formatAddress(reachable(listener)), timeout: TIMEOUT_SECONDS };
  }
}

/** As whom the admin server asks, which has looked already who asks it. */
function firstUser(path: string): [user: string, password: string] {
  const lines = readFileSync(path, "utf8").split(/\r?\n/);
  const line = lines.find((each) => each.trim() !== "" && !each.startsWith("#")) ?? ":";
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1)];
}

type ClientFlags = SecurityFlags & { readonly brokers: string; readonly timeout: number };

function isPlain({ protocol }: { readonly protocol?: string | undefined }): boolean {
  return protocol === undefined || protocol === "PLAINTEXT";
}

/** What a profile says of how a cluster is reached. Throws an `OperatorError`. */
async function profileFlags(name: string): Promise<ClientFlags> {
  const { profiles, path } = await readProfiles();
  const table = profiles.get(name);
  if (table === undefined) {
    throw new OperatorError(
      `there is no profile "${name}" in ${path}`,
      "",
      "see: kstream profile",
      2,
    );
  }
  const flags = Object.fromEntries(
    Object.entries(table).flatMap(([key, value]) =>
      typeof value === "string" || typeof value === "boolean"
        ? [[key.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase()), value]]
        : []
    ),
  );
  const { brokers } = flags;
  if (typeof brokers === "string") return { ...flags, brokers, timeout: TIMEOUT_SECONDS };
  throw new OperatorError(`profile "${name}" names no brokers`, "", "set brokers in it", 2);
}
