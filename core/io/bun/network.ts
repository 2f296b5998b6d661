/**
 * TCP and TLS on Bun's sockets.
 *
 * Writes are gathered until the end of the current callback (a microtask), so that several small
 * responses leave in one system call: small chunks are copied into one shared buffer, large ones
 * go to the system as they are. What the system does not take stays queued here by reference
 * until it has room again. Regions of files go by sendfile where the system has it: measured here,
 * that costs a third of reading into memory and writing.
 */
import { asError } from "../../as-error.ts";
import { assert } from "../../assert.ts";
import { tlsTrouble } from "../../connection-error.ts";
import { TlsError } from "../../io.ts";
import type {
  Chunk,
  ConnectOptions,
  HostPort,
  ListenTlsOptions,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
  TlsOptions,
} from "../../io.ts";
import { OutgoingRegion } from "./outgoing-region.ts";

/** Chunks below this are copied together; above, a system call of their own is cheaper. */
const COALESCE_BYTES = 16 * 1024;
/** How long a silent connection lives before TCP starts to probe whether the peer is there. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/** Reused for every gathered write: the system has copied it when `write` returns. */
const gather = new Uint8Array(64 * 1024);

class BunSocket implements Socket {
  readonly local: HostPort;
  readonly remote: HostPort;
  handlers: SocketHandlers | null = null;
  pendingBytes = 0;
  #queue: (Uint8Array | OutgoingRegion)[] = [];
  #flushScheduled = false;
  #blocked = false;
  #ending = false;
  #closed = false;
  /** Inside Bun's `open` callback, where closing a socket wedges the event loop (Bun 1.4.5). */
  #opening = true;
  /** Of a listener with TLS: nothing may be written yet. */
  #handshaking: boolean;

  /** `security`: how it is secured; `handshaking`: it will be, then by TLS. */
  constructor(
    readonly raw: Bun.Socket<BunSocket | null>,
    private readonly security: "plain" | "tls",
    handshaking = false,
  ) {
    this.#handshaking = handshaking;
    this.local = hostPort(raw.localAddress, raw.localPort);
    this.remote = hostPort(raw.remoteAddress, raw.remotePort);
    raw.setNoDelay(true);
    raw.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    setImmediate(() => {
      this.#opening = false;
    });
  }

  write(bytes: Chunk): void {
    if (this.#closed || this.#ending || bytes.length === 0) return;
    this.#queue.push(bytes instanceof Uint8Array ? bytes : new OutgoingRegion(bytes));
    this.pendingBytes += bytes.length;
    if (this.#blocked || this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
      this.#reportDrained();
    });
  }

  pause(): void {
    if (!this.#closed) this.raw.pause();
  }

  resume(): void {
    if (!this.#closed) this.raw.resume();
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    if (this.#handshaking) return this.destroy();
    this.#ending = true;
    if (this.#opening) setImmediate(() => this.#flush());
    else this.#flush();
  }

  destroy(): void {
    if (this.#closed) return;
    if (this.#opening) setImmediate(() => this.raw.terminate());
    else this.raw.terminate();
  }

  /** The handshake is done. */
  secured(certificate: Uint8Array | null): void {
    if (this.#closed) return;
    this.#handshaking = false;
    this.handlers?.onSecure?.(certificate);
    this.#flush();
    this.#reportDrained();
  }

  /** The system has room again. */
  drained(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#flush();
    this.#reportDrained();
  }

  closed(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const chunk of this.#queue) if (chunk instanceof OutgoingRegion) chunk.release();
    this.#queue = [];
    this.pendingBytes = 0;
    this.handlers?.onClose(error);
  }

  #reportDrained(): void {
    if (this.pendingBytes === 0 && !this.#closed && !this.#ending) this.handlers?.onDrain();
  }

  #flush(): void {
    if (this.#closed || this.#blocked || this.#handshaking) return;
    let next = 0;
    while (next < this.#queue.length && !this.#blocked) next = this.#writeFrom(next);
    if (next === this.#queue.length) this.#queue = [];
    else if (next > 0) this.#queue.splice(0, next);
    if (this.#ending && this.#queue.length === 0 && !this.#closed) this.raw.end();
  }

  /** Gives the system one chunk, or a run of small ones; returns the index of the next chunk. */
  #writeFrom(first: number): number {
    const queue = this.#queue;
    const head = queue[first];
    assert(head !== undefined, "there is a chunk to write");
    if (head instanceof OutgoingRegion) return this.#sendRegion(head, first);
    let end = first + 1;
    let bytes = head;
    if (head.length < COALESCE_BYTES && isSmall(queue[end])) {
      let filled = 0;
      for (end = first; end < queue.length; end++) {
        const chunk = queue[end];
        if (!isSmall(chunk) || filled + chunk.length > gather.length) break;
        gather.set(chunk, filled);
        filled += chunk.length;
      }
      bytes = gather.subarray(0, filled);
    }
    const taken = this.raw.write(bytes);
    if (taken < 0) { // The peer is gone; the close callback follows.
      this.#blocked = true;
      return end;
    }
    this.pendingBytes -= taken;
    if (taken === bytes.length) return end;
    this.#blocked = true;
    const rest = bytes.subarray(taken);
    queue[end - 1] = bytes === head ? rest : rest.slice();
    return end - 1;
  }

  #sendRegion(region: OutgoingRegion, index: number): number {
    const before = region.length;
    const outcome = region.send(this.raw, this.security);
    this.pendingBytes -= before - region.length;
    if (outcome === "sent") return index + 1;
    this.#blocked = true;
    // The peer waits for bytes that cannot be had: only an end of the connection tells it so.
    if (outcome === "failed") this.destroy();
    return index;
  }
}

/** Whether a chunk is copied together with its neighbours. */
function isSmall(chunk: Uint8Array | OutgoingRegion | undefined): chunk is Uint8Array {
  return chunk instanceof Uint8Array && chunk.length < COALESCE_BYTES;
}

/** An address as Kafka and people write it: an IPv4 address mapped into IPv6 is an IPv4 address. */
function hostPort(host: string, port: number): HostPort {
  return { host: host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host, port };
}

const common = {
  data: (raw: Bun.Socket<BunSocket | null>, bytes: Uint8Array) => raw.data?.handlers?.onData(bytes),
  drain: (raw: Bun.Socket<BunSocket | null>) => raw.data?.drained(),
  close: (raw: Bun.Socket<BunSocket | null>, error?: Error) => raw.data?.closed(error ?? null),
  error: (raw: Bun.Socket<BunSocket | null>, error: Error) => {
    raw.data?.closed(error);
    raw.terminate();
  },
  binaryType: "uint8array",
} as const;

function listen(
  at: HostPort,
  accept: (socket: Socket) => SocketHandlers,
  tls?: ListenTlsOptions,
): NetworkListener {
  const security = tls === undefined ? "plain" : "tls";
  const server = Bun.listen<BunSocket | null>({
    hostname: at.host,
    port: at.port,
    data: null,
    ...(tls === undefined ? {} : { tls: bunListenTls(tls) }),
    socket: {
      ...common,
      open(raw) {
        const socket = new BunSocket(raw, security, security === "tls");
        raw.data = socket;
        socket.handlers = accept(socket);
      },
      handshake(raw, success, error) {
        if (tls === undefined) return;
        const certificate = raw.getPeerX509Certificate()?.raw ?? null;
        const failure = clientFailure(tls, raw.authorized, certificate, success, error);
        if (failure === null) {
          // What Bun gives out it may use again.
          return raw.data?.secured(certificate === null ? null : new Uint8Array(certificate));
        }
        raw.data?.closed(failure);
        // The alert that says why goes out first, where there is one.
        setImmediate(() => raw.end());
      },
    },
  });
  return {
    address: { host: server.hostname, port: server.port },
    close: () => server.stop(false),
  };
}

/** Bits of OpenSSL's options that forbid a version. */
const NO_TLS_1_2 = 0x0800_0000;
const NO_TLS_1_3 = 0x2000_0000;

function bunListenTls({ cert, key, ca, clientAuth, versions }: ListenTlsOptions): Bun.TLSOptions {
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    requestCert: clientAuth !== "none",
    rejectUnauthorized: clientAuth === "required",
    secureOptions: (versions.includes("TLSv1.2") ? 0 : NO_TLS_1_2) |
      (versions.includes("TLSv1.3") ? 0 : NO_TLS_1_3),
  };
}

/** Why a client is not let in, or null. Who need show no certificate must not show a bad one. */
function clientFailure(
  { clientAuth }: ListenTlsOptions,
  isAuthorized: boolean,
  certificate: Uint8Array | null,
  success: boolean,
  error: Error | null,
): TlsError | null {
  const isRefused = clientAuth === "required" && !isAuthorized ||
    clientAuth === "requested" && certificate !== null && !isAuthorized;
  if (success && !isRefused) return null;
  return new TlsError(codeOf(error), error?.message ?? "the handshake failed");
}

function connect(
  to: HostPort,
  handlers: SocketHandlers,
  options: ConnectOptions,
): Promise<Socket> {
  const { timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let settled = false;
    let opened: Bun.Socket<BunSocket | null> | null = null;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const fail = (error: unknown) => {
      if (!settle()) return;
      opened?.terminate();
      reject(error);
    };
    const onAbort = () => fail(signal?.reason);
    const timer = setTimeout(
      () => fail(new Error(`no connection to ${to.host}:${to.port} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    const use = (raw: Bun.Socket<BunSocket | null>) => {
      if (!settle()) return raw.terminate();
      const socket = new BunSocket(raw, options.tls === undefined ? "plain" : "tls");
      raw.data = socket;
      socket.handlers = handlers;
      resolve(socket);
    };
    // It throws at once what it does not like of certificates and keys.
    Promise.try(() =>
      Bun.connect<BunSocket | null>({
        hostname: to.host,
        port: to.port,
        data: null,
        ...(options.tls === undefined ? {} : { tls: bunTls(options.tls) }),
        socket: {
          ...common,
          open(raw) {
            opened = raw;
            if (options.tls === undefined) use(raw);
          },
          handshake(raw, success, error) {
            if (options.tls === undefined) return;
            const failure = new TlsError(codeOf(error), error?.message ?? "the handshake failed");
            if (success || isAccepted(options.tls, failure)) use(raw);
            else fail(failure);
          },
          close(raw, error) {
            fail(new TlsError("ECONNRESET", "the peer closed the connection in the handshake"));
            common.close(raw, error);
          },
          connectError: (_raw, error) => fail(error),
        },
      })
    ).catch((error: unknown) => fail(failureOf(error, options.tls)));
  });
}

/** What was given for TLS may be refused before anybody is asked. */
function failureOf(error: unknown, tls: TlsOptions | undefined): Error {
  const failure = asError(error);
  const isOwn = tls !== undefined && tlsTrouble(codeOf(failure), failure.message) === "own-files";
  return isOwn ? new TlsError(codeOf(failure), failure.message, { cause: error }) : failure;
}

/** Never empty: Bun takes an empty object for no TLS at all. */
function bunTls(tls: TlsOptions): Bun.TLSOptions {
  const { ca, cert, key, serverName, checksName = true, rejectUnauthorized = true } = tls;
  return {
    // What is wrong is told all the same: see `isAccepted`.
    rejectUnauthorized: rejectUnauthorized && checksName,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** Bun reports a bad certificate as a failed handshake also where any will do. */
function isAccepted(tls: TlsOptions, failure: TlsError): boolean {
  const trouble = tlsTrouble(failure.code, failure.message);
  if (tls.checksName === false && trouble === "wrong-name") return true;
  return tls.rejectUnauthorized === false &&
    (trouble === "untrusted" || trouble === "wrong-name" || trouble === "expired");
}

function codeOf(error: Error | null): string {
  return error !== null && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** TCP and TLS of this host. Failures to bind or connect carry the system's `code` (`EADDRINUSE`, …). */
export const bunNetwork: Network = {
  // Bun binds synchronously and throws; the seam answers with a promise.
  listen: (at, accept, tls) => Promise.try(() => listen(at, accept, tls)),
  connect,
};
