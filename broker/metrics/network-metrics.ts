/** Connections and their bytes by listener: connections count for themselves, and are added up when they go. */
import type { BufferPool } from "../../core/buffer-pool.ts";
import type { Connection } from "../connection.ts";
import type { MemoryBudget } from "../memory-budget.ts";

/** Of the connections of a listener. */
export class ListenerMetrics {
  open = 0;
  accepted = 0;
  /** Turned away at a limit. */
  refused = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** For how long quotas had clients wait. */
  throttledMs = 0;

  constructor(readonly name: string) {}

  add({ activity }: Connection): void {
    this.bytesIn += activity.bytesIn;
    this.bytesOut += activity.bytesOut;
    this.throttledMs += activity.throttledMs;
  }
}

/** A server as its metrics see it. */
export interface WatchedServer {
  readonly connections: Iterable<Connection>;
  readonly memory: MemoryBudget;
  readonly buffers: BufferPool;
}

/** See the head of the file. */
export class NetworkMetrics {
  readonly #gone = new Map<string, ListenerMetrics>();
  readonly #servers: WatchedServer[] = [];

  /** Reads a server from now on. */
  watch(server: WatchedServer): void {
    this.#servers.push(server);
  }

  get servers(): readonly WatchedServer[] {
    return this.#servers;
  }

  /** A connection has come to the listener. */
  accepted(listener: string): void {
    this.#of(listener).accepted++;
  }

  /** A connection was turned away. */
  refused(listener: string): void {
    this.#of(listener).refused++;
  }

  /** A connection has gone. */
  closed(connection: Connection): void {
    this.#of(connection.listener.name).add(connection);
  }

  /** Of all listeners, with the connections that are there. */
  listeners(): ListenerMetrics[] {
    const all = new Map<string, ListenerMetrics>();
    for (const [name, gone] of this.#gone) {
      const copy = new ListenerMetrics(name);
      all.set(name, Object.assign(copy, gone));
    }
    for (const { connections } of this.#servers) {
      for (const connection of connections) {
        const listener = all.get(connection.listener.name);
        if (listener === undefined) continue;
        listener.add(connection);
        listener.open++;
      }
    }
    return [...all.values()];
  }

  #of(listener: string): ListenerMetrics {
    let metrics = this.#gone.get(listener);
    if (metrics === undefined) this.#gone.set(listener, metrics = new ListenerMetrics(listener));
    return metrics;
  }
}
