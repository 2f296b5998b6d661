/**
 * The listeners and their connections: binds, accepts within bounds, and ends in good order.
 */
import { assert } from "../core/assert.ts";
import type {
  HostPort,
  Network,
  NetworkListener,
  Socket,
  SocketHandlers,
  Timer,
} from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import type { Principal } from "./authorizer.ts";
import { Connection, type ConnectionServices } from "./connection.ts";
import type { ConnectionRates } from "./quotas/connection-rates.ts";
import type { NetworkMetrics } from "./metrics/network-metrics.ts";
import { formatAddress, type ListenerInfo, type ListenerSpec } from "./listeners.ts";
import { HandshakeTroubles, TlsHandshake } from "./tls/handshake.ts";
import type { ListenerTls } from "./tls/listener-tls.ts";

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
  readonly metrics: NetworkMetrics;
  readonly connection: Omit<ConnectionServices, "onClosed">;
}

/** A listener with its socket; `tls` changes when certificates do. */
interface Bound {
  readonly info: ListenerInfo;
  socket: NetworkListener;
  tls: ListenerTls | null;
}

/** Sockets that wait to be closed; more are closed at once. */
const REFUSED_MAX = 1000;
/** Lines about refused connections are at least this far apart. */
const REFUSAL_LOG_INTERVAL_MS = 10_000;

/** Accepts and holds the connections of a broker. */
export class Server {
  readonly listeners: readonly ListenerInfo[];
  readonly #services: ServerServices;
  readonly #bound: readonly Bound[];
  readonly #connections = new Set<Connection>();
  /** Those of them that have come by no socket. */
  readonly #adopted = new Set<Connection>();
  readonly #perHost = new Map<string, number>();
  readonly #connectionServices: ConnectionServices;
  readonly #troubles: HandshakeTroubles;
  #nextId = 1;
  #draining = false;
  #onEmpty: (() => void) | null = null;
  /** Sockets that are about to be closed, by their timers. */
  readonly #refused = new Set<Timer>();
  #refusals = 0;
  #refusalsLoggedMs = -Infinity;

  private constructor(services: ServerServices, bound: readonly Bound[]) {
    this.listeners = bound.map(({ info }) => info);
    this.#services = services;
    this.#bound = bound;
    this.#connectionServices = {
      ...services.connection,
      onClosed: (connection) => this.#closed(connection),
    };
    this.#troubles = new HandshakeTroubles(services.connection);
    const { memory, buffers } = services.connection;
    services.metrics.watch({ connections: this.#connections, memory, buffers });
  }

  /** Binds every listener, or none: then it throws an `OperatorError`. */
  static async start(services: ServerServices, specs: readonly ListenerSpec[]): Promise<Server> {
    const bound: Bound[] = [];
    let server: Server | null = null;
    for (const spec of specs) {
      try {
        const { name, advertised, protocol } = spec;
        const tls = spec.tls ?? null;
        const index = bound.length;
        const accept = (socket: Socket) => {
          const listener = bound[index];
          // Nobody knows the address before all listeners are bound.
          if (server === null || listener === undefined) return refuse(socket);
          return server.#accept(socket, listener);
        };
        const socket = await services.network.listen(spec.bind, accept, tls?.options);
        const info = { name, bound: socket.address, advertised, ...(protocol && { protocol }) };
        bound.push({ info, socket, tls });
      } catch (error) {
        for (const { socket } of bound) socket.close();
        throw bindError(spec.bind, error);
      }
    }
    server = new Server(services, bound);
    return server;
  }

  /**
   * Has a listener show another certificate from now on, and judge others. Connections that are there
   * stay. The socket is bound anew for it; throws an `OperatorError` if that fails.
   */
  async renewTls(name: string, tls: ListenerTls): Promise<void> {
    const listener = this.#bound.find(({ info }) => info.name === name);
    assert(listener?.tls, "only a listener with TLS gets another certificate");
    if (this.#draining) return;
    const { bound } = listener.info;
    const listen = (next: ListenerTls) =>
      this.#services.network.listen(
        bound,
        (socket) => this.#accept(socket, listener),
        next.options,
      );
    listener.socket.close();
    try {
      listener.socket = await listen(tls);
      listener.tls = tls;
    } catch (error) {
      listener.socket = await listen(listener.tls).catch(() => listener.socket);
      throw bindError(bound, error);
    }
    if (this.#draining) listener.socket.close();
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
    for (const { socket } of this.#bound) socket.close();
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => this.#onEmpty = resolve);
    const timer = this.#services.connection.clock.setTimer(graceMs, () => {
      for (const connection of [...this.#connections]) connection.destroy();
    });
    for (const connection of [...this.#connections]) connection.drain();
    await empty;
    timer.cancel();
  }

  #accept(socket: Socket, { info, tls }: Bound): SocketHandlers {
    const host = socket.remote.host;
    const ofHost = this.#perHost.get(host) ?? 0;
    const limits = this.#services.limits();
    if (this.#draining) return refuse(socket);
    if (this.#connections.size - this.#adopted.size >= limits.connectionsMax) {
      this.#logRefusal(info, socket, `max.connections=${limits.connectionsMax}`);
      return refuse(socket);
    }
    const ofHostMax = limits.connectionsPerIpMax(host);
    if (ofHost >= ofHostMax) {
      this.#logRefusal(info, socket, `max.connections.per.ip=${ofHostMax}`);
      return refuse(socket);
    }
    const admission = this.#services.rates.admit(host);
    if (admission.kind === "refuse") {
      this.#logRefusal(info, socket, "connection_creation_rate");
      return this.#refuseLater(socket, admission.delayMs);
    }
    this.#perHost.set(host, ofHost + 1);
    const connection = new Connection(this.#nextId++, info, socket, this.#connectionServices);
    this.#connections.add(connection);
    this.#services.metrics.accepted(info.name);
    if (admission.kind === "wait") connection.throttle(admission.delayMs);
    if (tls === null) return connection;
    const { clock } = this.#services.connection;
    return new TlsHandshake(connection, tls.identify, this.#troubles, clock);
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

  /**
   * Serves a connection that was made within this process, by somebody who is known, as if it had come
   * by `listener`. The bounds on connections are for others.
   */
  adopt(socket: Socket, listener: ListenerInfo, principal: Principal): SocketHandlers {
    if (this.#draining) return refuse(socket);
    const connection = new Connection(this.#nextId++, listener, socket, this.#connectionServices);
    connection.principal = principal;
    this.#connections.add(connection);
    this.#adopted.add(connection);
    this.#services.metrics.accepted(listener.name);
    return connection;
  }

  #closed(connection: Connection): void {
    if (this.#connections.delete(connection)) this.#services.metrics.closed(connection);
    if (!this.#adopted.delete(connection)) this.#countDown(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #countDown(connection: Connection): void {
    const host = connection.remoteAddress.host;
    const left = (this.#perHost.get(host) ?? 1) - 1;
    if (left === 0) this.#perHost.delete(host);
    else this.#perHost.set(host, left);
  }

  #logRefusal({ name }: ListenerInfo, socket: Socket, limit: string): void {
    this.#services.metrics.refused(name);
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
