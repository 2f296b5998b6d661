/**
 * The client's side of one connection to a broker: frames, correlation ids, pipelining, a deadline
 * for every request, the negotiation of versions (ApiVersions, KIP-35, KIP-511), and the moments in
 * which it proves who it is, in which all other requests wait. Used by `client/` and by brokers
 * among themselves.
 */
import { assert } from "./assert.ts";
import {
  addressText,
  connectFailure,
  ConnectionError,
  strangerOf,
  tlsFailure,
  tlsTrouble,
  WANTS_SASL,
} from "./connection-error.ts";
import { Errors } from "./errors.ts";
import { FrameReader } from "./frame-reader.ts";
import { TlsError } from "./io.ts";
import type { Chunk, Clock, HostPort, Network, Socket, Timer, TlsOptions } from "./io.ts";
import { silentLogger } from "./logger.ts";
import { type Owed, SilenceWatch } from "./silence-watch.ts";
import type { Logger } from "./logger.ts";
import { apiVersions } from "./protocol/18-api-versions.ts";
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
  ProtocolError,
} from "./protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "./protocol/schema.ts";

export { ConnectionError } from "./connection-error.ts";

/** What a connection needs of the world. */
export interface ConnectionIo {
  readonly clock: Clock;
  readonly network: Network;
}

/** Settings of a connection. */
export interface ConnectionOptions {
  /** Sent with each request; the broker logs it and counts quotas by it. */
  readonly clientId: string;
  /** Name and version of the software, for ApiVersions (KIP-511). */
  readonly software?: { readonly name: string; readonly version: string };
  /** For the TCP connection. */
  readonly connectTimeoutMs?: number;
  /** For requests that don't say otherwise. */
  readonly requestTimeoutMs?: number;
  /** A longer response closes the connection: it is no Kafka response or asked for too much. */
  readonly maxResponseBytes?: number;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly tls?: TlsOptions;
  /** Called once the versions are known, and again before the session that it began ends. */
  readonly authenticate?: Authenticate;
  readonly silence?: SilenceOptions;
}

/** Who hears that the broker keeps silent, also while the connection is being opened. */
export interface SilenceOptions {
  /** Nothing was heard for so long beyond what the broker may take for the oldest request. */
  readonly afterMs: number;
  /** Called then, and again and again as long as it lasts. */
  readonly tell: (connection: Connection) => void;
}

/** What an `Authenticate` may do with its connection while all others wait. */
export type AuthenticationChannel = Pick<Connection, "address" | "versionOf" | "request">;

/**
 * Proves to the broker who this client is. Resolves with the time after which it has to be done
 * again (KIP-368), null if never; throws a `ConnectionError`, which ends the connection.
 */
export type Authenticate = (channel: AuthenticationChannel) => Promise<number | null>;

/** Settings of one request. */
export interface RequestOptions {
  /** After it the connection is closed: its answers can no longer be told from a dead peer's. */
  readonly timeoutMs?: number;
  /** An abort drops the answer but keeps the connection. */
  readonly signal?: AbortSignal;
  /** The newest version to use, where a caller wants less than this code speaks. */
  readonly maxVersion?: number;
  /** The broker may hold back its answer for so long, as in a long poll: that is no silence yet. */
  readonly mayWaitMs?: number;
  /** Whether somebody else is to be asked by now, so that a silent broker need not be waited for. */
  readonly isMoot?: () => boolean;
}

/** Versions of one API that a broker serves. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_RESPONSE_BYTES = 512 * 1024 * 1024;
/** A response up to this long that spans chunks gets its room at once: most fetches do. */
const RESPONSE_ROOM_BYTES = 16 * 1024 * 1024;

interface Pending {
  readonly api: Api;
  readonly version: number;
  readonly correlationId: number;
  readonly timeoutMs: number;
  /** Null once the caller has gone. */
  settle: ((result: { frame: Uint8Array } | { error: ConnectionError }) => void) | null;
  timer: Timer | null;
  sentMs: number;
  readonly mayWaitMs: number;
  readonly isMoot: (() => boolean) | undefined;
}

/** Requests that wait until the connection has proved who it is: they go on in their order. */
type Held = (() => void)[];

/** A connection that has learnt its broker's versions. Requests may be sent without waiting. */
export class Connection {
  readonly address: HostPort;
  /** What the broker serves, by API key. */
  readonly served: Map<number, VersionRange> = new Map();
  /** The levels of the features that are finalized in the cluster (KIP-584). */
  readonly features: Map<string, number> = new Map();
  #socket: Socket | null = null;
  #failure: ConnectionError | null = null;
  #nextCorrelationId = 0;
  #answered: "nothing" | "versions" | "requests" = "nothing";
  #held: Held | null = null;
  #sessionTimer: Timer | null = null;
  readonly #pending: Pending[] = [];
  readonly #frames: FrameReader;
  readonly #clock: Clock;
  readonly #options: ConnectionOptions;
  readonly #logger: Logger;
  readonly #closeListeners: ((error: ConnectionError) => void)[] = [];
  readonly #drainWaiters: (() => void)[] = [];
  readonly #openedMs: number;
  readonly #opening = new AbortController();
  readonly #watch: SilenceWatch | null;

  private constructor(clock: Clock, address: HostPort, options: ConnectionOptions) {
    this.#clock = clock;
    this.address = address;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#frames = new FrameReader(
      options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
      { roomBytes: RESPONSE_ROOM_BYTES },
    );
    this.#openedMs = clock.monotonicMs();
    const { silence } = options;
    this.#watch = silence === undefined
      ? null
      : new SilenceWatch(clock, silence.afterMs, () => this.#owed(), () => silence.tell(this));
  }

  /** Connects and asks for the versions. Throws a `ConnectionError`. */
  static async open(
    io: ConnectionIo,
    address: HostPort,
    options: ConnectionOptions,
  ): Promise<Connection> {
    const connection = new Connection(io.clock, address, options);
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    const given = connection.#opening.signal;
    connection.#watch?.expect();
    try {
      connection.#socket = await io.network.connect(address, {
        onData: (bytes) => connection.#onData(bytes),
        onDrain: () => connection.#onDrain(),
        onClose: (error) => connection.#onClose(error),
      }, {
        timeoutMs,
        signal: options.signal === undefined ? given : AbortSignal.any([given, options.signal]),
        ...(options.tls === undefined ? {} : { tls: options.tls }),
      });
    } catch (error) {
      connection.#watch?.cancel();
      throw connection.#failure ?? connectFailure(address, error, options.signal);
    }
    try {
      if (connection.#failure !== null) {
        connection.#socket.destroy();
        throw connection.#failure;
      }
      await connection.#negotiate();
      await connection.#authenticate();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** Whether requests would fail at once. */
  get closed(): boolean {
    return this.#failure !== null;
  }

  /** Requests that wait for an answer. */
  get inFlight(): number {
    return this.#pending.length + (this.#held?.length ?? 0);
  }

  /** Whether the broker owes an answer and has said nothing for `SilenceOptions.afterMs`. */
  get isSilent(): boolean {
    return this.#failure === null && this.#watch?.isSilent === true;
  }

  /** Whether nobody wants the oldest answer any more, for which all others wait. */
  get isMoot(): boolean {
    return this.#pending[0]?.isMoot?.() === true;
  }

  /** Ends it, also while it is being opened: what waits fails and may be tried elsewhere. */
  giveUp(why: string): void {
    this.#fail(new ConnectionError("timeout", this.address, why), false);
    this.#opening.abort();
  }

  /** Calls back once when the connection has ended, for whatever reason. */
  onClose(listener: (error: ConnectionError) => void): void {
    if (this.#failure !== null) listener(this.#failure);
    else this.#closeListeners.push(listener);
  }

  /** The version that `request` would use; null if broker and client have none in common. */
  versionOf(api: Api, maxVersion = api.maxVersion): number | null {
    const served = this.served.get(api.key);
    if (served === undefined) return null;
    const version = Math.min(maxVersion, api.maxVersion, served.max);
    return version >= Math.max(api.minVersion, served.min) ? version : null;
  }

  /** Sends a request in the newest common version. Throws `ConnectionError`. */
  async request<A extends Api>(
    api: A,
    body: EncodableRequest<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    return await this.#ask(api, body, options, this.#held);
  }

  async #ask<A extends Api>(
    api: A,
    body: EncodableRequest<A>,
    options: RequestOptions,
    held: Held | null,
  ): Promise<ResponseOf<A>> {
    const version = this.#requireVersion(api, options.maxVersion);
    const frame = await this.#exchange(api, version, body, options, held);
    return this.#decode(api, version, frame);
  }

  /** Sends a request that gets no answer: a Produce with acks=0. Resolves once there is room. */
  async sendOneWay<A extends Api>(
    api: A,
    body: EncodableRequest<A>,
    options: Pick<RequestOptions, "maxVersion"> = {},
  ): Promise<void> {
    const version = this.#requireVersion(api, options.maxVersion);
    if (this.#failure !== null) throw this.#failure;
    const chunks = this.#encode(api, version, this.#correlationId(), body);
    const held = this.#held;
    const write = () => this.#failure === null && this.#write(chunks);
    if (held === null) write();
    else {
      await new Promise<void>((resolve) =>
        held.push(() => {
          write();
          resolve();
        })
      );
    }
    await this.drained();
  }

  /** Resolves when the system has taken all bytes written so far; rejects if the connection ends. */
  async drained(): Promise<void> {
    // The socket gathers the writes of one turn and passes them on at its end.
    await Promise.resolve();
    if (this.#failure !== null) throw this.#failure;
    if (this.#socket?.pendingBytes === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#drainWaiters.push(() => this.#failure === null ? resolve() : reject(this.#failure));
    });
  }

  /** Ends the connection once what was written has left; waiting requests fail. */
  close(): void {
    this.#fail(new ConnectionError("closed", this.address, "the connection was closed"), true);
  }

  /** Ends it at once: what was written and has not left the machine is not sent any more. */
  abort(): void {
    this.#fail(new ConnectionError("closed", this.address, "the connection was closed"), false);
  }

  #requireVersion(api: Api, maxVersion: number | undefined): number {
    const version = this.versionOf(api, maxVersion);
    if (version !== null) return version;
    const served = this.served.get(api.key);
    const has = served === undefined ? "does not serve it" : `serves ${served.min}–${served.max}`;
    throw new ConnectionError(
      "unsupported",
      this.address,
      `${api.name} versions ${api.minVersion}–${api.maxVersion} are needed, but ` +
        `${addressText(this.address)} ${has}`,
    );
  }

  #correlationId(): number {
    const id = this.#nextCorrelationId;
    this.#nextCorrelationId = (id + 1) & 0x7fffffff;
    return id;
  }

  #encode<A extends Api>(
    api: A,
    version: number,
    correlationId: number,
    body: EncodableRequest<A>,
  ): Chunk[] {
    const header = { correlationId, clientId: this.#options.clientId };
    return encodeRequestFrame(api, version, header, body);
  }

  #write(chunks: readonly Chunk[]): void {
    assert(this.#socket !== null, "a connection writes after it was opened");
    for (const chunk of chunks) this.#socket.write(chunk);
  }

  #exchange<A extends Api>(
    api: A,
    version: number,
    body: EncodableRequest<A>,
    options: RequestOptions,
    held: Held | null,
  ): Promise<Uint8Array> {
    const { signal } = options;
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(this.#aborted(signal));
    const correlationId = this.#correlationId();
    const chunks = this.#encode(api, version, correlationId, body);
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ??
      DEFAULT_REQUEST_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        pending.settle = null;
        reject(this.#aborted(signal));
      };
      const pending: Pending = {
        api,
        version,
        correlationId,
        timeoutMs,
        settle: (result) => {
          signal?.removeEventListener("abort", onAbort);
          if ("frame" in result) resolve(result.frame);
          else reject(result.error);
        },
        timer: null,
        sentMs: 0,
        mayWaitMs: options.mayWaitMs ?? 0,
        isMoot: options.isMoot,
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const send = () => {
        if (pending.settle === null) return;
        if (this.#failure !== null) return pending.settle({ error: this.#failure });
        pending.timer = this.#clock.setTimer(timeoutMs, () => this.#timedOut(pending));
        this.#pending.push(pending);
        if (this.#watch !== null) {
          pending.sentMs = this.#clock.monotonicMs();
          this.#watch.expect();
        }
        this.#write(chunks);
      };
      if (held === null) send();
      else held.push(send);
    });
  }

  /** Proves who the client is, where it has to, and again in time before that is forgotten. */
  async #authenticate(): Promise<void> {
    const { authenticate } = this.#options;
    if (authenticate === undefined) return;
    const held: Held = [];
    this.#held = held;
    // What was asked before is answered first, and the broker may take its time for it.
    const earlierMs = Math.max(0, ...this.#pending.map(({ timeoutMs }) => timeoutMs));
    const ownMs = this.#options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    const channel: AuthenticationChannel = {
      address: this.address,
      versionOf: (api, maxVersion) => this.versionOf(api, maxVersion),
      request: (api, body, options) =>
        this.#ask(api, body, { timeoutMs: earlierMs + ownMs, ...options }, null),
    };
    try {
      const againAfterMs = await authenticate(channel);
      if (againAfterMs !== null && this.#failure === null) {
        this.#sessionTimer = this.#clock.setTimer(againAfterMs, () => this.#authenticateAgain());
      }
    } finally {
      this.#held = null;
      for (const send of held) send();
    }
  }

  #authenticateAgain(): void {
    this.#authenticate().catch((error: unknown) => {
      if (error instanceof ConnectionError) return this.#fail(error, true);
      const why = error instanceof Error ? error.message : String(error);
      const message = `cannot authenticate again at ${addressText(this.address)}: ${why}`;
      this.#fail(new ConnectionError("authentication", this.address, message), true);
    });
  }

  #decode<A extends Api>(api: A, version: number, frame: Uint8Array): ResponseOf<A> {
    try {
      const { bodyOffset } = decodeResponseHeader(api, version, frame);
      return decodeResponse(api, version, frame, bodyOffset);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const failure = new ConnectionError(
        "malformed",
        this.address,
        `${addressText(this.address)} sent a malformed ${api.name} response: ${error.message}`,
        { cause: error },
      );
      this.#fail(failure, false);
      throw failure;
    }
  }

  /** KIP-511: a broker that does not know our version answers in version 0, with its own range. */
  async #negotiate(): Promise<void> {
    let version = apiVersions.maxVersion;
    for (;;) {
      const software = this.#options.software ?? { name: "kstream", version: "0.1.0" };
      const frame = await this.#exchange(
        apiVersions,
        version,
        {
          clientSoftwareName: software.name,
          clientSoftwareVersion: software.version,
        },
        {},
        null,
      );
      const unsupported = frame.length >= 6 &&
        new DataView(frame.buffer, frame.byteOffset).getInt16(4) === Errors.UNSUPPORTED_VERSION;
      const response = this.#decode(apiVersions, unsupported ? 0 : version, frame);
      if (unsupported && version > 0) {
        const own = response.apiKeys.find(({ apiKey }) => apiKey === apiVersions.key);
        version = own === undefined ? 0 : Math.min(own.maxVersion, version - 1);
        continue;
      }
      if (response.errorCode !== Errors.NONE) {
        throw new ConnectionError(
          "unsupported",
          this.address,
          `${addressText(this.address)} refused the version request (error ${response.errorCode})`,
        );
      }
      for (const { apiKey, minVersion, maxVersion } of response.apiKeys) {
        this.served.set(apiKey, { min: minVersion, max: maxVersion });
      }
      for (const { name, maxVersionLevel } of response.finalizedFeatures) {
        this.features.set(name, maxVersionLevel);
      }
      return;
    }
  }

  #onData(bytes: Uint8Array): void {
    if (this.#failure !== null) return;
    this.#watch?.heard();
    if (this.#answered === "nothing" && bytes.length > 0) {
      const stranger = strangerOf(bytes);
      if (stranger !== null) {
        const message = `${addressText(this.address)} is not a plain Kafka listener: ${stranger}`;
        return this.#fail(new ConnectionError("not-kafka", this.address, message), false);
      }
    }
    this.#frames.push(bytes);
    for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
      this.#onFrame(frame);
    }
    const { badLength } = this.#frames;
    if (badLength === null) return;
    const message = `${addressText(this.address)} announced a response of ${badLength} bytes: ` +
      "no Kafka broker, or a response above the limit";
    this.#fail(new ConnectionError("not-kafka", this.address, message), false);
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#failure !== null) return;
    const pending = this.#pending.shift();
    const correlationId = frame.length < 4
      ? -1
      : new DataView(frame.buffer, frame.byteOffset).getInt32(0);
    if (pending === undefined || pending.correlationId !== correlationId) {
      if (pending !== undefined) this.#pending.unshift(pending);
      const message = `${addressText(this.address)} sent a response that nobody asked for`;
      return this.#fail(new ConnectionError("malformed", this.address, message), false);
    }
    if (pending.api.key !== apiVersions.key) this.#answered = "requests";
    else if (this.#answered === "nothing") this.#answered = "versions";
    pending.timer?.cancel();
    pending.settle?.({ frame });
  }

  #owed(): Owed | null {
    if (this.#socket === null) return { sinceMs: this.#openedMs, mayWaitMs: 0 };
    const [oldest] = this.#pending;
    if (oldest === undefined) return null;
    return { sinceMs: oldest.sentMs, mayWaitMs: oldest.mayWaitMs };
  }

  #onDrain(): void {
    for (const waiter of this.#drainWaiters.splice(0)) waiter();
  }

  #onClose(error: Error | null): void {
    const code = error !== null && "code" in error ? String(error.code) : "";
    // In TLS 1.3 a server looks at the client's certificate after the client's handshake is over.
    if (error !== null && tlsTrouble(code, error.message) === "client-certificate") {
      const refusal = new TlsError(code, error.message, { cause: error });
      return this.#fail(tlsFailure(this.address, refusal), false);
    }
    const why = error === null ? "closed the connection" : `ended the connection: ${error.message}`;
    const message = `${addressText(this.address)} ${why}${this.#closeHint()}`;
    this.#fail(new ConnectionError("closed", this.address, message, { cause: error }), false);
  }

  /** What an early end may mean. */
  #closeHint(): string {
    if (this.#answered === "nothing") {
      return this.#options.tls === undefined
        ? " before its first answer (a TLS listener, or no Kafka?)"
        : " before its first answer (no Kafka?)";
    }
    if (this.#held !== null) return " while it was told who the client is (wrong credentials?)";
    // A listener with SASL answers the question for versions and hangs up at any other.
    const isFirst = this.#answered === "versions" && this.#pending.length > 0;
    return isFirst && this.#options.authenticate === undefined
      ? ` at the first request (${WANTS_SASL})`
      : "";
  }

  #timedOut(pending: Pending): void {
    const unansweredApi = pending.api.name;
    const message = `${addressText(this.address)} did not answer ${unansweredApi} within ` +
      `${pending.timeoutMs} ms`;
    this.#fail(new ConnectionError("timeout", this.address, message, { unansweredApi }), false);
  }

  #aborted(signal: AbortSignal | undefined): ConnectionError {
    return new ConnectionError("aborted", this.address, "the request was aborted", {
      cause: signal?.reason,
    });
  }

  #fail(error: ConnectionError, inGoodOrder: boolean): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    if (inGoodOrder) this.#socket?.end();
    else this.#socket?.destroy();
    this.#sessionTimer?.cancel();
    this.#watch?.cancel();
    this.#logger.debug("connection ended", {
      address: addressText(this.address),
      why: error.message,
    });
    for (const pending of this.#pending.splice(0)) {
      pending.timer?.cancel();
      pending.settle?.({ error });
    }
    this.#onDrain();
    for (const listener of this.#closeListeners.splice(0)) listener(error);
  }
}
