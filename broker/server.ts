/**
 * The listeners and their connections: binds, accepts within bounds, and ends in good order.
 */
import type {
  HostPort,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
  Timer,
} from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { Connection, type ConnectionServices } from "./connection.ts";
import type { ConnectionRates } from "./quotas/connection-rates.ts";
import { formatAddress, type ListenerInfo, type ListenerSpec } from "./listeners.ts";

/** How many connections there may be. */
export interface ServerLimits {
  /** `max.connections` */
  readonly connectionsMax: number;
  /** `max.connections.per.ip` and its overrides, for the address of a peer. */
  readonly connectionsPerIpMax: (host: string) => number;
}

/** What the server needs; `connection` is shared by all its connections. */
export interface ServerServices {
  readonly network: Network;
  readonly limits: () => ServerLimits;
  readonly rates: ConnectionRates;
  readonly connection: Omit<ConnectionServices, "onClosed">;
}

/** Sockets that wait to be closed; more are closed at once. */
const REFUSED_MAX = 1000;
/** Lines about refused connections are at least this far apart. */
const REFUSAL_LOG_INTERVAL_MS = 10_000;

/** Accepts and holds the connections of a broker. */
export class Server {
  readonly listeners: readonly ListenerInfo[];
  readonly #services: ServerServices;
  readonly #bound: readonly NetworkListener[];
  readonly #connections = new Set<Connection>();
  readonly #perHost = new Map<string, number>();
  readonly #connectionServices: ConnectionServices;
  #nextId = 1;
  #draining = false;
  #onEmpty: (() => void) | null = null;
  /** Sockets that are about to be closed, by their timers. */
  readonly #refused = new Set<Timer>();
  #refusals = 0;
  #refusalsLoggedMs = -Infinity;

  private constructor(
    services: ServerServices,
    listeners: readonly ListenerInfo[],
    bound: readonly NetworkListener[],
  ) {
    this.listeners = listeners;
    this.#services = services;
    this.#bound = bound;
    this.#connectionServices = {
      ...services.connection,
      onClosed: (connection) => this.#closed(connection),
    };
  }

  /** Binds every listener, or none: then it throws an `OperatorError`. */
  static async start(services: ServerServices, specs: readonly ListenerSpec[]): Promise<Server> {
    const listeners: ListenerInfo[] = [];
    const bound: NetworkListener[] = [];
    let server: Server | null = null;
    for (const spec of specs) {
      try {
        const index = bound.length;
        const listener = await services.network.listen(spec.bind, (socket) => {
          const info = listeners[index];
          // Nobody knows the address before all listeners are bound.
          if (server === null || info === undefined) return refuse(socket);
          return server.#accept(socket, info);
        });
        bound.push(listener);
        listeners.push({
          name: spec.name,
          bound: listener.address,
          advertised: spec.advertised,
        });
      } catch (error) {
        for (const listener of bound) listener.close();
        throw bindError(spec.bind, error);
      }
    }
    server = new Server(services, listeners, bound);
    return server;
  }

  /** The connections at the moment, in the order in which they came. */
  get connections(): Iterable<Connection> {
    return this.#connections;
  }

  /** How many there are. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Accepts no more, lets every connection answer what is under way, and resolves when all are
   * gone; after `graceMs` those that are left are cut.
   */
  async stop(graceMs: number): Promise<void> {
    this.#draining = true;
    for (const listener of this.#bound) listener.close();
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    const timer = this.#services.connection.clock.setTimer(graceMs, () => {
      for (const connection of [...this.#connections]) connection.destroy();
    });
    for (const connection of [...this.#connections]) connection.drain();
    await empty;
    timer.cancel();
  }

  #accept(socket: Socket, listener: ListenerInfo): SocketHandlers {
    const host = socket.remote.host;
    const ofHost = this.#perHost.get(host) ?? 0;
    const limits = this.#services.limits();
    if (this.#draining) return refuse(socket);
    if (this.#connections.size >= limits.connectionsMax) {
      this.#logRefusal(socket, `max.connections=${limits.connectionsMax}`);
      return refuse(socket);
    }
    const ofHostMax = limits.connectionsPerIpMax(host);
    if (ofHost >= ofHostMax) {
      this.#logRefusal(socket, `max.connections.per.ip=${ofHostMax}`);
      return refuse(socket);
    }
    const admission = this.#services.rates.admit(host);
    if (admission.kind === "refuse") {
      this.#logRefusal(socket, "connection_creation_rate");
      return this.#refuseLater(socket, admission.delayMs);
    }
    this.#perHost.set(host, ofHost + 1);
    const connection = new Connection(this.#nextId++, listener, socket, this.#connectionServices);
    this.#connections.add(connection);
    if (admission.kind === "wait") connection.throttle(admission.delayMs);
    return connection;
  }

  /** Keeps a client waiting that connects too often: closed at once, it would come back at once. */
  #refuseLater(socket: Socket, delayMs: number): SocketHandlers {
    if (this.#refused.size >= REFUSED_MAX) return refuse(socket);
    socket.pause();
    const timer = this.#services.connection.clock.setTimer(delayMs, () => {
      this.#refused.delete(timer);
      socket.destroy();
    });
    this.#refused.add(timer);
    const forget = () => {
      timer.cancel();
      this.#refused.delete(timer);
    };
    return { onData: () => {}, onDrain: () => {}, onClose: forget };
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection);
    const host = connection.peerAddress.host;
    const left = (this.#perHost.get(host) ?? 1) - 1;
    if (left === 0) this.#perHost.delete(host);
    else this.#perHost.set(host, left);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #logRefusal(socket: Socket, limit: string): void {
    this.#refusals++;
    const { clock, logger } = this.#services.connection;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#refusalsLoggedMs < REFUSAL_LOG_INTERVAL_MS) return;
    logger.warn("refusing connections at a limit", {
      limit,
      peer: formatAddress(socket.remote),
      refused: this.#refusals,
    });
    this.#refusals = 0;
    this.#refusalsLoggedMs = nowMs;
  }
}

/** Closes a connection that is not taken, and hears nothing more of it. */
function refuse(socket: Socket): SocketHandlers {
  socket.destroy();
  return { onData: () => {}, onDrain: () => {}, onClose: () => {} };
}

function bindError(at: HostPort, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const what = `cannot listen on ${formatAddress(at)}`;
  if (code === "EADDRINUSE") {
    return new OperatorError(
      what,
      "the port is in use",
      "stop what uses it, or choose another with --listen (port 0 takes any)",
    );
  }
  if (code === "EACCES") {
    return new OperatorError(what, "permission denied", "use a port from 1024 on");
  }
  if (code === "EADDRNOTAVAIL") {
    return new OperatorError(
      what,
      "this host has no such address",
      "use an address of this host, or 0.0.0.0 for all",
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return new OperatorError(what, why, "check the address");
}
