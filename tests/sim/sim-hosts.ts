/**
 * Hosts with a network between them, on virtual time: datagrams and streams that are slow, lost,
 * repeated and out of order, links that are cut in one direction or both, processes that are killed
 * or stopped, clocks that run too fast or slow, and hosts without power.
 */
import { drainMicrotasks } from "bun:jsc";
import type {
  Chunk,
  Clock,
  ConnectOptions,
  Datagrams,
  DatagramSocket,
  HostPort,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
  Timer,
} from "../../core/io.ts";
import { deferred } from "../../core/deferred.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";

const FIRST_PORT = 40_000;
/** TCP sends again after so long. */
const RETRANSMIT_MS = 200;
/** Datagrams that wait for a stopped process; the system drops more. */
const RECEIVE_BUFFER = 500;

/** What the network does to what is sent. */
export interface Weather {
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  readonly lossPercent: number;
  readonly duplicatePercent: number;
}

/** A network in good order. */
export const FAIR: Weather = {
  latencyMinMs: 0.1,
  latencyMaxMs: 2,
  lossPercent: 0,
  duplicatePercent: 0,
};

/** See the head of this file. */
export class SimHosts {
  weather: Weather = FAIR;
  readonly #hosts = new Map<string, SimHost>();
  readonly #cuts = new Set<string>();
  readonly #isolated = new Set<string>();
  /** Hosts of different sides do not reach one another. */
  #sides: ReadonlyMap<string, number> = new Map();

  constructor(readonly clock: SimClock, readonly random: SimRandom) {}

  /** The host with this IP address, which is made if it is new. */
  host(ip: string): SimHost {
    const host = this.#hosts.get(ip) ?? new SimHost(this, ip);
    this.#hosts.set(ip, host);
    return host;
  }

  find(ip: string): SimHost | undefined {
    return this.#hosts.get(ip);
  }

  /** From now on nothing gets from one to the other; the way back stays. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from} ${to}`);
  }

  /** From now on nothing gets to the host or from it; `heal` does not change that. */
  isolate(ip: string): void {
    this.#isolated.add(ip);
  }

  /** The end of `isolate`. */
  reconnect(ip: string): void {
    this.#isolated.delete(ip);
  }

  /** Hosts that are not named are on side 0. */
  partition(sides: ReadonlyMap<string, number>): void {
    this.#sides = sides;
  }

  /** All links work again. */
  heal(): void {
    this.#cuts.clear();
    this.#sides = new Map();
  }

  passes(from: string, to: string): boolean {
    if (this.#cuts.has(`${from} ${to}`)) return false;
    if (this.#isolated.has(from) || this.#isolated.has(to)) return false;
    return (this.#sides.get(from) ?? 0) === (this.#sides.get(to) ?? 0);
  }

  isLost(from: string, to: string): boolean {
    return !this.passes(from, to) || this.random.chance(this.weather.lossPercent);
  }

  latencyMs(): number {
    const { latencyMinMs, latencyMaxMs } = this.weather;
    return latencyMinMs + this.random.below(1_000) / 1_000 * (latencyMaxMs - latencyMinMs);
  }
}

/** What a process on a host has of the world. */
export interface SimProcess {
  readonly clock: Clock;
  readonly network: Network;
  readonly datagrams: Datagrams;
}

/** A host with one process on it. */
export class SimHost {
  /** What the process's wall clock is ahead of the true time. */
  wallAheadMs = 0;
  /** How many of its milliseconds its monotonic clock counts in a true one. */
  clockRate = 1;
  /** What each of its messages needs beyond what the network takes: a host that is too busy. */
  delayMs = 0;
  readonly listeners = new Map<number, (socket: Socket) => SocketHandlers>();
  readonly receivers = new Map<number, (bytes: Uint8Array, from: HostPort) => void>();
  readonly sockets = new Set<SimStream>();
  hasPower = true;
  /**
   * Whether what the process computes takes it time: as much as this machine's processor took for it. The
   * host has one core, so what comes meanwhile waits. No run is like another then.
   */
  isTimed = false;
  readonly #backlog: (() => void)[] = [];
  #busyUntilMs = 0;
  #life = 0;
  #stopped: (() => void)[] | null = null;
  #nextPort = FIRST_PORT;

  constructor(readonly world: SimHosts, readonly ip: string) {}

  /** A fresh process on this host, which must have none. */
  start(): SimProcess {
    this.hasPower = true;
    const life = ++this.#life;
    return {
      clock: this.clockOf(() => life),
      network: {
        listen: (at, accept) =>
          life === this.#life ? this.#listen(at, accept) : Promise.reject(new Error("EBADF")),
        connect: (to, handlers, options) => this.#connect(to, handlers, options),
      },
      datagrams: { bind: (at, receive) => this.#bind(at, receive) },
    };
  }

  /** The clock of this host, as the process of that life has it when it asks. */
  clockOf(life: () => number): Clock {
    return {
      wallMs: () => this.world.clock.wallMs() + this.wallAheadMs,
      monotonicMs: () => this.world.clock.monotonicMs() * this.clockRate,
      setTimer: (delayMs, callback): Timer => {
        const mine = life();
        return this.world.clock.setTimer(
          delayMs / this.clockRate,
          () => this.run(mine, callback),
        );
      },
    };
  }

  get life(): number {
    return this.#life;
  }

  /** The process is killed: its connections break, and nobody listens any more. */
  kill(): void {
    this.#life++;
    this.#stopped = null;
    this.listeners.clear();
    this.receivers.clear();
    for (const socket of [...this.sockets]) socket.reset();
  }

  /** All connections of the process break; it may connect again. */
  breakConnections(): void {
    for (const socket of [...this.sockets]) socket.destroy();
  }

  /** The host loses power: its peers hear nothing of it. */
  cutPower(): void {
    this.hasPower = false;
    for (const socket of this.sockets) socket.isDead = true;
    this.kill();
  }

  /** The process does not run (SIGSTOP); what comes waits. */
  stop(): void {
    this.#stopped ??= [];
  }

  /** It runs again. */
  resume(): void {
    const waiting = this.#stopped ?? [];
    this.#stopped = null;
    for (const callback of waiting) callback();
  }

  /** Runs a callback of the process, if it is still that one. */
  run(life: number, callback: () => void): void {
    if (life !== this.#life) return;
    if (this.#stopped !== null) this.#stopped.push(() => this.run(life, callback));
    else if (this.isTimed) this.#compute(() => life === this.#life && callback());
    else callback();
  }

  #compute(work: () => void): void {
    this.#backlog.push(work);
    if (this.#backlog.length === 1) this.#computeNext();
  }

  #computeNext(): void {
    const { clock } = this.world;
    clock.setTimer(this.#busyUntilMs - clock.monotonicMs(), () => {
      const before = process.cpuUsage();
      this.#backlog[0]?.();
      drainMicrotasks();
      const { user, system } = process.cpuUsage(before);
      this.#busyUntilMs = clock.monotonicMs() + (user + system) / 1000;
      this.#backlog.shift();
      if (this.#backlog.length > 0) this.#computeNext();
    });
  }

  receive(bytes: Uint8Array, from: HostPort, port: number): void {
    const receiver = this.receivers.get(port);
    if (receiver === undefined || (this.#stopped?.length ?? 0) > RECEIVE_BUFFER) return;
    this.run(this.#life, () => receiver(bytes, from));
  }

  freePort(): number {
    return this.#nextPort++;
  }

  #listen(
    at: HostPort,
    accept: (socket: Socket) => SocketHandlers,
  ): Promise<NetworkListener> {
    const port = at.port === 0 ? this.freePort() : at.port;
    this.listeners.set(port, accept);
    const address = { host: at.host, port };
    return Promise.resolve({ address, close: () => void this.listeners.delete(port) });
  }

  #bind(
    at: HostPort,
    receive: (bytes: Uint8Array, from: HostPort) => void,
  ): Promise<DatagramSocket> {
    const port = at.port === 0 ? this.freePort() : at.port;
    const life = this.#life;
    const from = { host: this.ip, port };
    this.receivers.set(port, receive);
    return Promise.resolve({
      address: { host: at.host, port },
      send: (to, bytes) => {
        if (life !== this.#life) return false;
        this.#sendDatagram(from, to, bytes);
        return true;
      },
      close: () => void this.receivers.delete(port),
    });
  }

  #sendDatagram(from: HostPort, to: HostPort, bytes: Uint8Array): void {
    const { world } = this;
    const copies = world.random.chance(world.weather.duplicatePercent) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (world.isLost(from.host, to.host)) continue;
      world.clock.setTimer(
        world.latencyMs(),
        () => world.find(to.host)?.receive(bytes.slice(), from, to.port),
      );
    }
  }

  #connect(to: HostPort, handlers: SocketHandlers, options: ConnectOptions): Promise<Socket> {
    const { world } = this;
    const life = this.#life;
    const { promise, resolve, reject } = deferred<Socket>();
    const untilMs = world.clock.monotonicMs() + options.timeoutMs;
    const attempt = () => {
      if (life !== this.#life) return;
      if (options.signal?.aborted === true) return reject(options.signal.reason);
      if (world.clock.monotonicMs() >= untilMs) return reject(new Error("ETIMEDOUT"));
      const far = world.find(to.host);
      const isSilent = far === undefined || !far.hasPower || world.isLost(this.ip, to.host) ||
        world.isLost(to.host, this.ip);
      if (isSilent || far === undefined) {
        return void world.clock.setTimer(RETRANSMIT_MS, attempt);
      }
      const accept = far.listeners.get(to.port);
      if (accept === undefined) return reject(new Error("ECONNREFUSED"));
      const local = { host: this.ip, port: this.freePort() };
      const near = new SimStream(this, local, to, handlers);
      const remote = new SimStream(far, to, local, null);
      near.peer = remote;
      remote.peer = near;
      far.run(far.life, () => remote.handlers = accept(remote));
      resolve(near);
    };
    world.clock.setTimer(world.latencyMs(), attempt);
    return promise;
  }
}

/** One end of a connection. What is lost is sent again, so all arrives in order, or nothing more. */
class SimStream implements Socket {
  peer: SimStream | null = null;
  isDead = false;
  readonly pendingBytes = 0;
  readonly #life: number;
  readonly #underWay: (() => void)[] = [];
  #closed = false;
  #paused = false;
  #waiting: Uint8Array[] = [];

  constructor(
    readonly owner: SimHost,
    readonly local: HostPort,
    readonly remote: HostPort,
    public handlers: SocketHandlers | null,
  ) {
    this.#life = owner.life;
    owner.sockets.add(this);
  }

  write(chunk: Chunk): void {
    if (this.#closed) return;
    const bytes = bytesOf(chunk);
    this.#transmit(() => this.peer?.arrive(bytes));
  }

  arrive(bytes: Uint8Array): void {
    this.owner.run(this.#life, () => {
      if (this.#closed) return;
      if (this.#paused) this.#waiting.push(bytes);
      else this.handlers?.onData(bytes);
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const bytes of this.#waiting.splice(0)) this.arrive(bytes);
  }

  end(): void {
    if (this.#close()) this.#transmit(() => this.peer?.hangUp());
  }

  /** What is under way is lost with it. */
  destroy(): void {
    if (!this.#closed) this.#underWay.length = 0;
    this.end();
  }

  /** The process that has it is gone. */
  reset(): void {
    if (this.#close() && !this.isDead) this.#transmit(() => this.peer?.hangUp());
  }

  hangUp(): void {
    this.#close();
  }

  #close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.owner.sockets.delete(this);
    this.owner.world.clock.setTimer(
      0,
      () => this.owner.run(this.#life, () => this.handlers?.onClose(null)),
    );
    return true;
  }

  #transmit(arrive: () => void): void {
    this.#underWay.push(arrive);
    if (this.#underWay.length === 1) this.#later(this.owner.world.latencyMs() + this.owner.delayMs);
  }

  #later(delayMs: number): void {
    const { world } = this.owner;
    world.clock.setTimer(delayMs, () => {
      if (this.isDead) return;
      if (world.isLost(this.local.host, this.remote.host)) return this.#later(RETRANSMIT_MS);
      for (const arrive of this.#underWay.splice(0)) arrive();
    });
  }
}

/** What a chunk sends, as it is now. */
function bytesOf(chunk: Chunk): Uint8Array {
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
