/** TCP and TLS on `node:net` and `node:tls`: Node, and Deno with its Node API. For clients. */
import { connect as connectTcp, createServer, type Socket as RawSocket } from "node:net";
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

/** How long a silent connection lives before TCP starts to probe whether the peer is there. */
const KEEP_ALIVE_DELAY_MS = 60_000;

class NodeSocket implements Socket {
  readonly local: HostPort;
  readonly remote: HostPort;
  pendingBytes = 0;
  #flushing = false;
  #ending = false;
  #closed = false;
  #error: Error | null = null;

  constructor(readonly raw: RawSocket, handlers: SocketHandlers) {
    this.local = hostPort(raw.localAddress, raw.localPort);
    this.remote = hostPort(raw.remoteAddress, raw.remotePort);
    this.#onDrain = () => handlers.onDrain();
    raw.setNoDelay(true);
    raw.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    raw.on("data", (bytes: Uint8Array) => {
      // Not as a Buffer, whose slice and toString mean something else.
      if (!this.#closed) {
        handlers.onData(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      }
    });
    raw.on("error", (error) => this.#error = error);
    raw.on("close", () => {
      if (this.#closed) return;
      this.#closed = true;
      this.pendingBytes = 0;
      handlers.onClose(this.#error);
    });
  }

  readonly #onDrain: () => void;

  write(bytes: Chunk): void {
    if (!(bytes instanceof Uint8Array)) throw new TypeError("files are sent by brokers alone");
    if (this.#closed || this.#ending || bytes.length === 0) return;
    this.pendingBytes += bytes.length;
    // What is written in one turn leaves in one system call.
    if (!this.#flushing) {
      this.#flushing = true;
      this.raw.cork();
      queueMicrotask(() => {
        this.#flushing = false;
        this.raw.uncork();
      });
    }
    this.raw.write(bytes, () => {
      if (this.#closed) return;
      this.pendingBytes -= bytes.length;
      if (this.pendingBytes === 0 && !this.#ending) this.#onDrain();
    });
  }

  pause(): void {
    this.raw.pause();
  }

  resume(): void {
    this.raw.resume();
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    // Not `end`, which waits for the peer: a broker that is busy with a request, a join perhaps for
    // ever, does not look, and what was left open keeps the process alive.
    this.raw.destroySoon();
  }

  destroy(): void {
    this.raw.destroy();
  }
}

/** An address as Kafka and people write it: an IPv4 address mapped into IPv6 is an IPv4 address. */
function hostPort(host = "", port = 0): HostPort {
  return { host: host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host, port };
}

function listen(
  at: HostPort,
  accept: (socket: Socket) => SocketHandlers,
  tls?: ListenTlsOptions,
): Promise<NetworkListener> {
  if (tls !== undefined) throw new TypeError("TLS is served by brokers alone");
  return new Promise((resolve, reject) => {
    const server = createServer((raw) => {
      // The handlers come from `accept`, which wants the socket first.
      let handlers: SocketHandlers | null = null;
      const socket = new NodeSocket(raw, {
        onData: (bytes) => handlers?.onData(bytes),
        onDrain: () => handlers?.onDrain(),
        onClose: (error) => handlers?.onClose(error),
      });
      handlers = accept(socket);
    });
    server.once("error", reject);
    server.listen(at.port, at.host, () => {
      const address = server.address();
      const isPort = typeof address === "object" && address !== null;
      resolve({
        address: {
          host: isPort ? address.address : at.host,
          port: isPort ? address.port : at.port,
        },
        close: () => server.close(),
      });
    });
  });
}

async function connect(
  to: HostPort,
  handlers: SocketHandlers,
  options: ConnectOptions,
): Promise<Socket> {
  const { timeoutMs, signal, tls } = options;
  const raw = tls === undefined
    ? connectTcp({ host: to.host, port: to.port })
    : await connectTls(to, tls);
  return await new Promise((resolve, reject) => {
    let reached = false;
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      raw.removeListener("error", onError);
      raw.removeListener("close", onClose);
    };
    const fail = (error: unknown) => {
      settle();
      raw.on("error", () => {});
      raw.destroy();
      reject(error);
    };
    const onError = (error: Error) => {
      if (tls === undefined || !reached) return fail(error);
      const code = "code" in error && typeof error.code === "string" ? error.code : "";
      fail(new TlsError(code, error.message, { cause: error }));
    };
    const onClose = () =>
      fail(new TlsError("ECONNRESET", "the peer closed the connection in the handshake"));
    const onAbort = () => fail(signal?.reason);
    const timer = setTimeout(
      () => fail(new Error(`no connection to ${to.host}:${to.port} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    raw.once("error", onError);
    raw.once("close", onClose);
    raw.once("connect", () => {
      reached = true;
    });
    raw.once(tls === undefined ? "connect" : "secureConnect", () => {
      settle();
      resolve(new NodeSocket(raw, handlers));
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

async function connectTls(to: HostPort, tls: TlsOptions): Promise<RawSocket> {
  const { ca, cert, key, serverName, checksName = true, rejectUnauthorized = true } = tls;
  const { connect: connectSecure } = await import("node:tls");
  try {
    return connectSecure({
      host: to.host,
      port: to.port,
      rejectUnauthorized,
      ...(checksName ? {} : { checkServerIdentity: () => undefined }),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
  } catch (error) {
    // What was given is refused before anybody is asked.
    if (!(error instanceof Error)) throw error;
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    throw new TlsError(code, error.message, { cause: error });
  }
}

/** TCP and TLS of this host. Failures to bind or connect carry the system's `code`. */
export const nodeNetwork: Network = { listen, connect };
