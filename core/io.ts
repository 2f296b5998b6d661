/**
 * The seams: everything that is not deterministic in a JavaScript process. Code in `storage/`,
 * `cluster/`, `broker/`, `client/`, `connect/` and `stream/` gets these as constructor arguments
 * and nothing else, so that a whole cluster runs in one process on a virtual clock with a faulty
 * disk and network, from one seed (FoundationDB's simulation, TigerBeetle's VOPR).
 *
 * `core/io/bun/` holds the real ones, `tests/sim/` the simulated ones.
 */

/** A running timer. Cancelling one that has fired, or cancelling twice, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time. Deadlines and durations use `monotonicMs`; only what users see uses `wallMs`. */
export interface Clock {
  /** Milliseconds since 1970 in UTC, an integer. May jump either way. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, with a fraction below the microsecond. Never goes back. */
  monotonicMs(): number;
  /** Calls back once, not before `delayMs` have passed on the monotonic clock. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** Chance. */
export interface Random {
  /** A uniform integer from 0 to `bound` − 1; `bound` is 1 to 2^32. */
  below(bound: number): number;
  /** Fresh random bytes. */
  bytes(count: number): Uint8Array;
}

/** Why the disk refused. `code` is the system's (`ENOSPC`, `EIO`, `EACCES`, `ENOENT`, …). */
export class DiskError extends Error {
  override readonly name = "DiskError";
  constructor(readonly code: string, readonly path: string, message: string) {
    super(message);
  }
}

/**
 * An open file. All positions and sizes are in bytes. Short reads happen at the end of the file
 * only; writes are whole or throw a `DiskError`, after which any prefix may have been written.
 */
export interface DiskFile {
  readonly path: string;
  sizeBytes(): number;
  /** Reads from the page cache on the calling thread: for data that is expected to be cached. */
  readSync(into: Uint8Array, position: number): number;
  /** Whether `readSync` and sending of these bytes would not wait for the device, as far as known. */
  isCached(position: number, length: number): boolean;
  /** Reads through the thread pool: for data that may have to come from the device. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes into the page cache. It is durable only after a later `sync` has resolved. */
  writeSync(from: Uint8Array, position: number): void;
  /** As several `writeSync` at consecutive positions, in one system call where there is one. */
  writevSync(from: readonly Uint8Array[], position: number): void;
  /** fdatasync: resolves when every write that returned before the call is on stable storage. */
  sync(): Promise<void>;
  /** Cuts or extends (with zeros) the file. */
  truncateSync(sizeBytes: number): void;
  /**
   * Asks for room up to `sizeBytes` where the system can give it; the file's size stays. What is
   * left behind the end goes with a `truncateSync` to the end. Never throws: writes do.
   */
  allocateSync(sizeBytes: number): void;
  close(): void;
}

/** An entry of a directory. */
export interface DiskEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** How a file is opened: `create` fails with EEXIST if it is there, the others with ENOENT if not. */
export type OpenMode = "read" | "readwrite" | "create";

/** An exclusive lock on a directory, held until `release` or the end of the process. */
export interface DiskLock {
  release(): void;
}

/** A file system. Every method may throw a `DiskError`. */
export interface Disk {
  open(path: string, mode: OpenMode): DiskFile;
  /** Makes the directory and its missing parents. */
  makeDir(path: string): void;
  list(path: string): DiskEntry[];
  /** Size and modification time of a file, or null if there is none. */
  stat(path: string): { sizeBytes: number; modifiedMs: number; isDirectory: boolean } | null;
  /** Atomic; durable after `syncDir` of the parents. Replaces an existing file. */
  rename(from: string, to: string): void;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): void;
  /**
   * Removes a file, or a directory with all in it; one that is not there is no error. Not on the
   * calling thread: to give back the memory and blocks of a large file takes long.
   */
  removeTree(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDir(path: string): Promise<void>;
  /**
   * Tries to bring all that was written so far on the file system of `path` to the device in one go,
   * so that the syncs of very many small files find nothing left to do. It promises nothing, never
   * rejects, and can take long: other programs' writes go along.
   */
  flushHint(path: string): Promise<void>;
  /** Bytes that an unprivileged user can still write on the file system of `path`. */
  freeBytes(path: string): number;
  /** flock on `path`, which is created if missing; null if another process holds it. */
  lock(path: string): DiskLock | null;
}

/** A host and a port; `host` is a name or an address, without brackets for IPv6. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What the owner of a socket wants to hear. No callback comes after `onClose`. */
export interface SocketHandlers {
  /**
   * The client of a listener with TLS has ended its handshake: nothing came before. `certificate`: the
   * one that it has shown and that was found good, in DER; null: none.
   */
  onSecure?(certificate: Uint8Array | null): void;
  /** Bytes that arrived. The callee owns them: the array is never reused. */
  onData(bytes: Uint8Array): void;
  /** `pendingBytes` has come back to zero after a write left some. */
  onDrain(): void;
  /** The connection is gone, in either direction; `error` if it was not closed in good order. */
  onClose(error: Error | null): void;
}

/**
 * A run of bytes of a file, as something to send: where the system can, they go from the page cache
 * to the socket without passing through this process (sendfile).
 */
export interface FileRegion {
  readonly position: number;
  /** How many bytes. */
  readonly length: number;
  /**
   * Opens the file and keeps it open until `release`. The bytes must not change. Throws a
   * `DiskError` if the file has gone in the meantime.
   */
  open(): { readonly file: DiskFile; release(): void };
}

/** What a socket sends. */
export type Chunk = Uint8Array | FileRegion;

/** A connected byte stream (TCP or TLS). Writes are queued by the socket; the owner bounds them. */
export interface Socket {
  readonly local: HostPort;
  readonly remote: HostPort;
  /** Bytes given to `write` that the system has not taken yet. */
  readonly pendingBytes: number;
  /** Sends the bytes after all earlier ones; the caller must not change them until drained. */
  write(bytes: Chunk): void;
  /** Stops and restarts `onData`; back-pressure reaches the peer through TCP's window. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once (a reset where there is unread or unsent data). */
  destroy(): void;
}

/** A listening socket; `address.port` is the bound port, also when port 0 was asked for. */
export interface NetworkListener {
  readonly address: HostPort;
  close(): void;
}

/** How to speak TLS to a peer. Certificates and keys are PEM texts. */
export interface TlsOptions {
  /** Who is trusted to sign the peer's certificate, instead of those that the runtime trusts. */
  readonly ca?: string;
  /** A certificate (with its chain) and key of our own, for peers that want one. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the peer is asked for and that its certificate has to carry. Default: the host. */
  readonly serverName?: string;
  /** False takes any certificate from anybody. Default true. */
  readonly rejectUnauthorized?: boolean;
  /** False takes a certificate that is trusted whatever its name. Default true. */
  readonly checksName?: boolean;
}

/** Whether clients show a certificate: Kafka's `ssl.client.auth`. One that is not good is refused. */
export type ClientAuth = "none" | "requested" | "required";

/** The versions of TLS that there are, as Kafka names them. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** How a listener speaks TLS. Certificates and keys are PEM texts. */
export interface ListenTlsOptions {
  /** The listener's certificate with its chain, and its key. */
  readonly cert: string;
  readonly key: string;
  /** Who is trusted to sign certificates of clients. */
  readonly ca?: string;
  readonly clientAuth: ClientAuth;
  readonly versions: readonly TlsVersion[];
}

/** No TLS with the peer came about. `code` is the library's (`CERT_HAS_EXPIRED`, `ECONNRESET`, …). */
export class TlsError extends Error {
  override readonly name = "TlsError";
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Settings of one connection attempt. */
export interface ConnectOptions {
  /** For TCP and TLS together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** With it, the socket carries what is inside of TLS. */
  readonly tls?: TlsOptions;
}

/** TCP and TLS. */
export interface Network {
  /**
   * Binds before it resolves. `accept` returns the handlers of the new connection. With `tls` it is
   * called before the handshake, which is bounded by nobody but the owner of the socket; the handlers
   * hear `onSecure` when it is done, or `onClose` with a `TlsError`.
   */
  listen(
    at: HostPort,
    accept: (socket: Socket) => SocketHandlers,
    tls?: ListenTlsOptions,
  ): Promise<NetworkListener>;
  /**
   * Resolves when connected; rejects on refusal, failure, abort or after `timeoutMs`, and with a
   * `TlsError` where the peer is there but TLS with it fails.
   */
  connect(to: HostPort, handlers: SocketHandlers, options: ConnectOptions): Promise<Socket>;
}

/** A bound datagram socket; `address.port` is the bound port, also when port 0 was asked for. */
export interface DatagramSocket {
  readonly address: HostPort;
  /**
   * Sends one datagram to an IP address, or loses it: never throws. False if the system has refused
   * it at once (no route, no room, closed).
   */
  send(to: HostPort, bytes: Uint8Array): boolean;
  /** Nothing arrives any more. */
  close(): void;
}

/** UDP. Datagrams may be lost, repeated, reordered and forged. */
export interface Datagrams {
  /**
   * Binds before it resolves; rejects with the system's `code` (`EADDRINUSE`, …). The callee of
   * `onDatagram` owns the bytes. `from.host` is an IP address; IPv4 on an IPv6 socket is IPv4.
   */
  bind(
    at: HostPort,
    onDatagram: (bytes: Uint8Array, from: HostPort) => void,
  ): Promise<DatagramSocket>;
}

/**
 * What goes to a task and comes back: plain data. The buffer under `bytes` goes with the message, so
 * nobody else may use it any more. Each buffer that comes back is new to this side's garbage
 * collector: who exchanges very many gives the session memory that both sides see at its first call
 * (`allocateShared`), and leaves it alone during calls.
 */
export interface OffloadMessage {
  readonly bytes: Uint8Array;
}

/**
 * A kind of slow work over bytes. It is pure: what comes out depends on nothing but what went into
 * its session.
 */
export interface OffloadTask<I extends OffloadMessage, O extends OffloadMessage> {
  readonly name: string;
  /** Begins a session; what it remembers from call to call lives in the function returned. */
  start(): (input: I) => O;
}

/** A task at work. */
export interface OffloadSession<I extends OffloadMessage, O extends OffloadMessage> {
  /** One call at a time. Rejects with an `OffloadError` if the task cannot go on. */
  call(input: I): Promise<O>;
  /** Forgets what the session remembers. To be called once, whatever has happened. */
  end(): void;
}

/** A task has thrown, which it never should, or its worker is gone. */
export class OffloadError extends Error {
  override readonly name = "OffloadError";
}

/** Runs tasks away from the event loop; inline in the simulator. */
export interface Offload {
  open<I extends OffloadMessage, O extends OffloadMessage>(
    task: OffloadTask<I, O>,
  ): OffloadSession<I, O>;
}

/** The whole world of a broker. */
export interface Io {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  readonly datagrams: Datagrams;
  readonly offload: Offload;
}

/** Resolves after `delayMs`; rejects with the signal's reason if it is aborted before. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
