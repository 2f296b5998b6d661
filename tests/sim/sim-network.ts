/**
 * A network in memory on virtual time: streams with latency by chance, connections that break, and
 * silence, in which nothing arrives although nobody hears of an end.
 */
import type {
  Chunk,
  Clock,
  HostPort,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
} from "../../core/io.ts";
import type { SimRandom } from "./sim-random.ts";

const LATENCY_MS_MAX = 5;
const FIRST_PORT = 40_000;

/** One direction's end of a connection. */
class SimSocket implements Socket {
  peer: SimSocket | null = null;
  handlers: SocketHandlers | null = null;
  closed = false;
  #paused = false;
  #arrivesMs = 0;
  #arrived: Uint8Array[] = [];

  constructor(
    readonly world: SimNetwork,
    readonly local: HostPort,
    readonly remote: HostPort,
  ) {}

  get pendingBytes(): number {
    return 0;
  }

  write(chunk: Chunk): void {
    if (this.closed) return;
    const bytes = bytesOf(chunk);
    this.#later(() => this.peer?.arrive(bytes));
  }

  arrive(bytes: Uint8Array): void {
    if (this.closed) return;
    if (this.#paused) this.#arrived.push(bytes);
    else this.handlers?.onData(bytes);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const bytes of this.#arrived.splice(0)) this.arrive(bytes);
  }

  end(): void {
    this.#close(() => this.#later(() => this.peer?.hangUp()));
  }

  destroy(): void {
    this.#close(() => this.peer?.hangUp());
  }

  /** The other side is gone. */
  hangUp(): void {
    this.#close(() => {});
  }

  #close(tellPeer: () => void): void {
    if (this.closed) return;
    this.closed = true;
    this.world.sockets.delete(this);
    tellPeer();
    this.world.clock.setTimer(0, () => this.handlers?.onClose(null));
  }

  /** Runs it after the latency, behind everything that was sent before. */
  #later(run: () => void): void {
    const { clock, random } = this.world;
    const latencyMs = random.below(LATENCY_MS_MAX * 100) / 100;
    this.#arrivesMs = Math.max(this.#arrivesMs, clock.monotonicMs() + latencyMs);
    clock.setTimer(this.#arrivesMs - clock.monotonicMs(), () => {
      if (!this.world.isSilent(this)) run();
    });
  }
}

/** See the head of this file. */
export class SimNetwork implements Network {
  readonly sockets = new Set<SimSocket>();
  readonly #listeners = new Map<number, (socket: Socket) => SocketHandlers>();
  readonly #silent = new Set<SimSocket>();
  #nextPort = FIRST_PORT;
  refusing = false;

  constructor(readonly clock: Clock, readonly random: SimRandom) {}

  /** A view of this network for one client, whose connections can be broken apart from others'. */
  client(): SimClientNetwork {
    return new SimClientNetwork(this);
  }

  listen(
    at: HostPort,
    accept: (socket: Socket) => SocketHandlers,
  ): Promise<NetworkListener> {
    const address = { host: at.host, port: at.port === 0 ? this.#nextPort++ : at.port };
    this.#listeners.set(address.port, accept);
    return Promise.resolve({ address, close: () => void this.#listeners.delete(address.port) });
  }

  connect(to: HostPort, handlers: SocketHandlers): Promise<Socket> {
    return this.connectTo(to, handlers);
  }

  connectTo(to: HostPort, handlers: SocketHandlers): Promise<SimSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<SimSocket>();
    this.clock.setTimer(this.random.below(LATENCY_MS_MAX), () => {
      const accept = this.#listeners.get(to.port);
      if (this.refusing || accept === undefined) return reject(new Error("ECONNREFUSED"));
      const local = { host: "127.0.0.1", port: this.#nextPort++ };
      const near = new SimSocket(this, local, to);
      const far = new SimSocket(this, to, local);
      near.peer = far;
      far.peer = near;
      near.handlers = handlers;
      far.handlers = accept(far);
      this.sockets.add(near).add(far);
      resolve(near);
    });
    return promise;
  }

  /** Breaks all connections, as a crash of the broker would. */
  breakAll(): void {
    for (const socket of [...this.sockets]) socket.destroy();
  }

  isSilent(socket: SimSocket): boolean {
    return this.#silent.has(socket) || (socket.peer !== null && this.#silent.has(socket.peer));
  }

  silence(socket: SimSocket): void {
    this.#silent.add(socket);
  }
}

/** The connections of one client. */
export class SimClientNetwork implements Network {
  readonly #sockets = new Set<SimSocket>();
  #silent = false;

  constructor(readonly world: SimNetwork) {}

  listen(): Promise<NetworkListener> {
    return Promise.reject(new Error("a client does not listen"));
  }

  async connect(
    to: HostPort,
    handlers: SocketHandlers,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Socket> {
    if (this.#silent) {
      const { promise, reject } = Promise.withResolvers<never>();
      this.world.clock.setTimer(options.timeoutMs, () => reject(new Error("ETIMEDOUT")));
      return await promise;
    }
    const socket = await this.world.connectTo(to, handlers);
    this.#sockets.add(socket);
    return socket;
  }

  /** Breaks this client's connections; it may connect again. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** From now on nothing arrives, in either direction, until `heal`; what was sent is lost. */
  isolate(): void {
    this.#silent = true;
    for (const socket of this.#sockets) this.world.silence(socket);
  }

  /** New connections work again; old ones stay silent until somebody gives them up. */
  heal(): void {
    this.#silent = false;
    this.breakAll();
  }
}

/** What a chunk sends, as it is now. */
export function bytesOf(chunk: Chunk): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk.slice();
  const { file, release } = chunk.open();
  try {
    const bytes = new Uint8Array(chunk.length);
    file.readSync(bytes, chunk.position);
    return bytes;
  } finally {
    release();
  }
}
