/**
 * The connections of a broker to the others of its cluster: the metadata say where brokers are, the
 * election where the controller is. A connection to an address that is no longer right is closed, so
 * that nobody waits for an answer of a node that has moved or was deposed.
 */
import type { ControllerElection, ElectedController } from "../../cluster/controller-election.ts";
import {
  type Authenticate,
  Connection,
  ConnectionError,
  type RequestOptions,
  type VersionRange,
} from "../../core/connection.ts";
import type { ConnectionFailure } from "../../core/connection-error.ts";
import {
  type Clock,
  type HostPort,
  type Network,
  type Random,
  sleep,
  type TlsOptions,
} from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { ControllerRequestOptions, Peers } from "./peers.ts";

/** What it is built from. */
export interface BrokerPeersOptions {
  readonly io: { readonly clock: Clock; readonly network: Network; readonly random: Random };
  readonly logger: Logger;
  readonly nodeId: number;
  /** The name of the listener that brokers use among themselves. */
  readonly listener: string;
  readonly metadata: Pick<MetadataCache, "image" | "onChange">;
  readonly election: Pick<ControllerElection, "controller" | "onChange">;
  /** How this broker proves to others that it belongs to the cluster. */
  readonly proveNode?: Authenticate | undefined;
  /** Asked for each connection: certificates are renewed. */
  readonly tls?: (() => TlsOptions) | undefined;
}

/** A connection that is open or being opened. */
interface Opening {
  readonly address: HostPort;
  /** A broker's id; null: it was made to the controller of the election. */
  readonly brokerId: number | null;
  readonly abort: AbortController;
  readonly connection: Promise<Connection>;
  /** Once it is open. */
  opened: Connection | null;
}

const CONNECT_TIMEOUT_MS = 5000;
/** One try of a request to the controller. */
const TRY_TIMEOUT_MS = 30_000;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
/** The use of connections that have no use of their own. */
const REQUESTS = "requests";
/** What does not pass by itself. */
const FINAL: ReadonlySet<ConnectionFailure> = new Set(["unsupported", "authentication", "tls"]);
const NOWHERE: HostPort = { host: "", port: 0 };

/** See the head of the file. `close` it. */
export class BrokerPeers implements Peers {
  readonly #options: BrokerPeersOptions;
  readonly #connections = new Map<string, Opening>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #closed = new AbortController();

  constructor(options: BrokerPeersOptions) {
    this.#options = options;
    this.#unsubscribe = [
      options.election.onChange(() => this.#dropMoved()),
      options.metadata.onChange((delta) => {
        if (delta.changedBrokers.length > 0) this.#dropMoved();
      }),
    ];
  }

  connect(brokerId: number, use: string, signal?: AbortSignal): Promise<Connection> {
    const address = this.#addressOf(brokerId);
    if (address !== null) return this.#connect(`${brokerId} ${use}`, brokerId, address, signal);
    const why = `broker ${brokerId} is not registered with a listener ${this.#options.listener}`;
    return Promise.reject(new ConnectionError("refused", NOWHERE, why));
  }

  /** A connection to this controller, as the election knows it. Throws a `ConnectionError`. */
  connectController(
    controller: ElectedController,
    use: string,
    signal?: AbortSignal,
  ): Promise<Connection> {
    return this.#connect(`controller ${use}`, null, controller.address, signal);
  }

  async request<A extends Api>(
    brokerId: number,
    api: A,
    request: EncodableRequest<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    const connection = await this.connect(brokerId, REQUESTS, options.signal);
    return await connection.request(api, request, options);
  }

  async requestController<A extends Api>(
    api: A,
    request: EncodableRequest<A>,
    isOther: (response: ResponseOf<A>) => boolean,
    options: ControllerRequestOptions,
  ): Promise<ResponseOf<A>> {
    const { clock, random } = this.#options.io;
    const { use = REQUESTS, signal } = options;
    const deadlineMs = clock.monotonicMs() + options.timeoutMs;
    let failure = new ConnectionError("timeout", NOWHERE, "the cluster has no controller");
    for (let attempt = 0;; attempt++) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#closed.signal.aborted) throw failure;
      const controller = this.#options.election.controller;
      if (controller !== null) {
        try {
          const timeoutMs = Math.min(leftMs, TRY_TIMEOUT_MS);
          const limits = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
          const connection = await this.#within(
            timeoutMs,
            controller.address,
            this.connectController(controller, use, signal),
          );
          const response = await connection.request(api, request, limits);
          if (!isOther(response)) return response;
          const why = `node ${controller.nodeId} is no longer the controller`;
          failure = new ConnectionError("refused", controller.address, why);
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error;
          if (error.failure === "aborted" && signal?.aborted === true) throw error;
          // Another try says the same.
          if (FINAL.has(error.failure)) throw error;
          failure = error;
        }
      }
      const rangeMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(attempt, 10));
      const pauseMs = rangeMs / 2 + random.below(rangeMs) / 2;
      // Another election is news at once, the same controller is left in peace for a while.
      const untilMs = controller === null ? Infinity : clock.monotonicMs() + pauseMs;
      await this.#changeOr(controller, Math.min(untilMs, deadlineMs), signal);
    }
  }

  controllerServes(apiKey: number): VersionRange | null {
    const { controller } = this.#options.election;
    if (controller === null) return null;
    for (const { brokerId, address, opened } of this.#connections.values()) {
      if (brokerId !== null || opened === null || !isSameAddress(address, controller.address)) {
        continue;
      }
      // What it does not serve at all has no versions.
      return opened.served.get(apiKey) ?? { min: 0, max: -1 };
    }
    return null;
  }

  close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    for (const end of this.#unsubscribe) end();
    for (const opening of this.#connections.values()) drop(opening);
    this.#connections.clear();
    return Promise.resolve();
  }

  #addressOf(brokerId: number): HostPort | null {
    const { metadata, listener } = this.#options;
    const endpoints = metadata.image.brokers.get(brokerId)?.endpoints ?? [];
    return endpoints.find(({ name }) => name === listener) ?? null;
  }

  #connect(
    key: string,
    brokerId: number | null,
    address: HostPort,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    if (this.#closed.signal.aborted) {
      return Promise.reject(new ConnectionError("closed", address, "the broker stops"));
    }
    let opening = this.#connections.get(key);
    if (opening !== undefined && !isSameAddress(opening.address, address)) {
      drop(opening);
      this.#connections.delete(key);
      opening = undefined;
    }
    opening ??= this.#open(key, brokerId, address);
    return signal === undefined
      ? opening.connection
      : abortable(opening.connection, address, signal);
  }

  #open(key: string, brokerId: number | null, address: HostPort): Opening {
    const { io, logger, nodeId, proveNode, tls } = this.#options;
    const abort = new AbortController();
    const connection = Connection.open(io, address, {
      clientId: `broker-${nodeId}`,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      logger,
      signal: abort.signal,
      ...(proveNode === undefined ? {} : { authenticate: proveNode }),
      ...(tls === undefined ? {} : { tls: tls() }),
    });
    const opening: Opening = { address, brokerId, abort, connection, opened: null };
    this.#connections.set(key, opening);
    const forget = () => {
      if (this.#connections.get(key) === opening) this.#connections.delete(key);
    };
    connection.then(
      (opened) => {
        opening.opened = opened;
        opened.onClose(forget);
        if (abort.signal.aborted) opened.close();
      },
      forget,
    );
    return opening;
  }

  /** Closes what leads to where nobody is wanted any more. */
  #dropMoved(): void {
    for (const [key, opening] of [...this.#connections]) {
      const { brokerId } = opening;
      const wanted = brokerId === null
        ? this.#options.election.controller?.address
        : this.#addressOf(brokerId);
      // Without a controller the last one may still be asked, if only for the answer that it is none.
      if (brokerId === null && wanted === undefined) continue;
      if (wanted && isSameAddress(opening.address, wanted)) continue;
      this.#connections.delete(key);
      drop(opening);
    }
  }

  /** The promise's outcome, or a `ConnectionError` after so long. */
  #within<T>(timeoutMs: number, address: HostPort, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.io.clock.setTimer(timeoutMs, () => {
        reject(new ConnectionError("timeout", address, "no connection was made in time"));
      });
      promise.finally(() => timer.cancel()).then(resolve, reject);
    });
  }

  /** Resolves when the controller is another one, at that time, or when this is closed or aborted. */
  async #changeOr(
    known: ElectedController | null,
    untilMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { election, io } = this.#options;
    const wake = new AbortController();
    const end = () => wake.abort(new Error("woken"));
    const unsubscribe = election.onChange(() => {
      const now = election.controller;
      if (now !== null && now.term !== known?.term) end();
    });
    const signals = [this.#closed.signal, ...(signal === undefined ? [] : [signal])];
    for (const each of signals) each.addEventListener("abort", end, { once: true });
    if (!signals.some(({ aborted }) => aborted)) {
      await sleep(io.clock, untilMs - io.clock.monotonicMs(), wake.signal).catch(() => {});
    }
    unsubscribe();
    for (const each of signals) each.removeEventListener("abort", end);
    if (signal?.aborted === true) {
      throw new ConnectionError("aborted", NOWHERE, "the request was aborted", {
        cause: signal.reason,
      });
    }
  }
}

function isSameAddress(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port;
}

function drop(opening: Opening): void {
  opening.abort.abort(new Error("the connection is not wanted any more"));
  opening.opened?.close();
}

/** The connection, unless the signal comes before; the connection itself is others' as well. */
function abortable(
  connection: Promise<Connection>,
  address: HostPort,
  signal: AbortSignal,
): Promise<Connection> {
  const aborted = () =>
    new ConnectionError("aborted", address, "connecting was aborted", { cause: signal.reason });
  if (signal.aborted) return Promise.reject(aborted());
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted());
    signal.addEventListener("abort", onAbort, { once: true });
    connection.finally(() => signal.removeEventListener("abort", onAbort)).then(resolve, reject);
  });
}
