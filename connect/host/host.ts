/**
 * Where tasks run apart from the worker: a process of this program, or a thread. What goes between is
 * `rpc.ts`; `serve-host.ts` is at the other end.
 */

/** A host that is there, or was. */
export interface Host {
  /** What cannot be sent any more is dropped. */
  send(message: unknown): void;
  /** Ends it at once; `why` is said where it was not about to end anyway. */
  kill(why: string): void;
  /** Resolves when nothing of it runs any more, with how it has ended: "exit code 1". Never rejects. */
  readonly ended: Promise<string>;
}

/** Who hears of a host. */
export interface HostEvents {
  message(message: unknown): void;
  /** A line that something in it has written to standard output or standard error. */
  line(line: string): void;
}

export type OpenHost = (events: HostEvents) => Host;

/** The hosts that a worker may have. */
export interface Hosts {
  /** A process of its own. */
  readonly process: OpenHost;
  /** Threads, which tasks of built-in connectors share, and how many; null: these run with the worker. */
  readonly threads: { readonly open: OpenHost; readonly max: number } | null;
  /** Built-in connectors have processes, too. */
  readonly isAllApart: boolean;
  /** How brokers are reached: flags of the command line, which the host turns into options. */
  readonly client: Readonly<Record<string, string | number | boolean>>;
  /**
   * A host ends by itself when it has not heard of the worker for so long: others may have what it did,
   * once their group has not heard of the worker for the session.
   */
  readonly leaseMs: number;
  /** A host that has not answered for so long is killed: its event loop stands still. */
  readonly stallMs: number;
}

/** What a host is told first. */
export interface HostSetup {
  /** Path of the module; null: built-in connectors. */
  readonly module: string | null;
  readonly client: Hosts["client"];
  readonly groupId: string;
  readonly offsetFlushIntervalMs: number;
  readonly taskShutdownTimeoutMs: number;
  /** Where offsets are written in transactions; null: they cannot. */
  readonly transactionalTopic: string | null;
  readonly isOffline: boolean;
  readonly leaseMs: number;
}
