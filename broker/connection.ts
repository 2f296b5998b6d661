/**
 * One client's connection: frames in, responses out.
 *
 * - Requests start in the order of arrival and are answered in it. A request waits for all before
 *   it, unless it and they may be pipelined (`Handler.pipelined`).
 * - Bounded: requests under way, unread bytes behind a request that waits, response bytes that the
 *   client has not taken, and with all other connections the broker's `MemoryBudget`. At each
 *   bound the socket is paused.
 * - A stream that is not Kafka's protocol ends this connection with one log line.
 * - A client beyond its quota is not heard for a while: its requests wait, and then its socket.
 * - Idle connections are closed after `connections.max.idle.ms`.
 */
import type { BufferPool } from "../core/buffer-pool.ts";
import { FrameReader } from "../core/frame-reader.ts";
import type { Chunk, Clock, HostPort, Socket, SocketHandlers, Timer } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { stackOf } from "../core/stack-of.ts";
import { ANONYMOUS, type Principal } from "./authorizer.ts";
import { ClientActivity } from "./client-activity.ts";
import { ConnectionError } from "./connection-error.ts";
import { describeBadStream } from "./bad-stream.ts";
import { formatAddress, type ListenerInfo } from "./listeners.ts";
import type { BudgetHolder, MemoryBudget } from "./memory-budget.ts";
import type { SlowRequests } from "./metrics/slow-requests.ts";
import type { ApiMetrics } from "./metrics/api-metrics.ts";
import type { ClientSoftware, ConnectionState } from "./request-context.ts";

/** A response as it goes to the socket: the whole frame, cut where bytes are held by reference. */
export type ResponseChunks = readonly Chunk[];

/** A request whose header has been read. */
export interface ParsedRequest {
  readonly correlationId: number;
  /** Where it is counted. */
  readonly metrics: ApiMetrics;
  /** Whether it may start while earlier ones, all of which may, are under way. */
  readonly pipelined: boolean;
  /** Whether nothing of its frame is looked at once it is answered. */
  readonly releasesFrame: boolean;
  /** Runs it; null if it wants no response. Rejects only for what closes the connection. */
  run(): ResponseChunks | null | Promise<ResponseChunks | null>;
}

/** What connections have in common. */
export interface ConnectionServices {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly memory: MemoryBudget;
  /** Memory of large requests, used again. */
  readonly buffers: BufferPool;
  readonly limits: ConnectionLimits;
  /** Gets what was slow; left out: nothing is. */
  readonly slow?: SlowRequests | null;
  /** Reads a request's header; throws a `ConnectionError` for one that cannot be answered. */
  readonly parse: (frame: Uint8Array, connection: ConnectionState) => ParsedRequest;
  /** Called once, when the connection is gone. */
  readonly onClosed: (connection: Connection) => void;
}

/** Bounds of one connection. */
export interface ConnectionLimits {
  /** `socket.request.max.bytes` */
  readonly requestBytesMax: number;
  /** `connections.max.idle.ms`; negative: never. */
  readonly idleMs: number;
}

/** Requests of one connection that are under way at once. */
const REQUESTS_UNDER_WAY_MAX = 64;
/** No request starts while the client has not taken this much of earlier responses. */
const UNSENT_RESPONSE_BYTES_MAX = 256 * 1024;
/** The socket is paused when so much is unread behind a request that has to wait. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** Requests that are started before other connections get their turn. */
const REQUESTS_PER_TURN = 100;
/** Bytes of a frame's length field. */
const LENGTH_BYTES = 4;

/** A request that has been read. */
interface Received {
  readonly request: ParsedRequest;
  readonly heldBytes: number;
  /** The pool's buffer that its frame lies in, if it does. */
  readonly buffer: Uint8Array | null;
  /** When the bytes came that were last to come before it was read. */
  readonly receivedMs: number;
}

/** A request that was started; its response leaves when it is first in the queue. */
interface UnderWay extends Received {
  readonly startedMs: number;
  /** How long the handler was busy before it waited; −1: it did not wait, or nobody looked. */
  localMs: number;
  waits: boolean;
  done: boolean;
  response: ResponseChunks | null;
}

/** See the head of this file. `onData`, `onDrain` and `onClose` are the socket's. */
export class Connection implements ConnectionState, SocketHandlers, BudgetHolder {
  principal: Principal = ANONYMOUS;
  clientSoftware: ClientSoftware | null = null;
  readonly localAddress: HostPort;
  /** Where the bytes come from, whoever they are from. */
  readonly remoteAddress: HostPort;
  peerAddress: HostPort;
  readonly activity: ClientActivity;

  readonly #socket: Socket;
  readonly #services: ConnectionServices;
  readonly #reader: FrameReader;
  readonly #abort = new AbortController();
  readonly #underWay: UnderWay[] = [];
  /** Read, but not to be started yet. */
  #next: Received | null = null;
  #heldBytes = 0;
  #state: "open" | "closing" | "closed" = "open";
  #paused = false;
  /** Paused by the budget: only `onRoom` ends it. */
  #waitsForMemory = false;
  #pumping = false;
  #turnTimer: Timer | null = null;
  /** Runs while the client is slowed down. */
  #throttleTimer: Timer | null = null;
  #throttledUntilMs = 0;
  #idleTimer: Timer | null = null;
  #lastActiveMs: number;
  /** When bytes came last, and when the clock was read last: times of requests rest on these. */
  #receivedMs: number;
  #knownMs: number;

  constructor(
    readonly id: number,
    readonly listener: ListenerInfo,
    socket: Socket,
    services: ConnectionServices,
  ) {
    this.localAddress = socket.local;
    this.remoteAddress = socket.remote;
    this.peerAddress = socket.remote;
    this.#socket = socket;
    this.#services = services;
    this.#reader = new FrameReader(services.limits.requestBytesMax, {
      pool: services.buffers,
    });
    this.#lastActiveMs = services.clock.monotonicMs();
    this.#receivedMs = this.#lastActiveMs;
    this.#knownMs = this.#lastActiveMs;
    this.activity = new ClientActivity(services.clock.wallMs(), this.#lastActiveMs);
    if (services.limits.idleMs >= 0) this.#armIdle(services.limits.idleMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get inFrame(): boolean {
    return this.#next === null && this.#reader.bufferedBytes > 0;
  }

  /** Requests that were started and not yet answered. */
  get requestsUnderWay(): number {
    return this.#underWay.length;
  }

  /** For how long it will not be heard yet, because of a quota. */
  get throttledForMs(): number {
    return Math.max(0, this.#throttledUntilMs - this.#services.clock.monotonicMs());
  }

  /** Milliseconds since something came or went. */
  get idleMs(): number {
    return Math.max(0, this.#services.clock.monotonicMs() - this.#lastActiveMs);
  }

  throttle(delayMs: number): void {
    if (this.#state !== "open" || delayMs <= 0) return;
    const { clock } = this.#services;
    const untilMs = clock.monotonicMs() + delayMs;
    if (untilMs <= this.#throttledUntilMs) return;
    this.#throttledUntilMs = untilMs;
    this.activity.throttledMs += delayMs;
    // Nobody is idle who may not speak.
    this.#lastActiveMs = untilMs;
    this.#throttleTimer?.cancel();
    this.#throttleTimer = clock.setTimer(delayMs, () => {
      this.#throttleTimer = null;
      this.#pumpLater();
    });
  }

  /** Takes no further requests, answers those that are under way, then closes. */
  close(reason: string): void {
    if (this.#state !== "open") return;
    this.#log("closing a connection", { reason });
    this.#startClosing();
  }

  /** As `close`, for an orderly end that needs no line. */
  drain(): void {
    if (this.#state === "open") this.#startClosing();
  }

  /** Closes at once. */
  destroy(): void {
    if (this.#state === "closed") return;
    this.#socket.destroy();
    this.onClose(null);
  }

  onData(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    const nowMs = this.#services.clock.monotonicMs();
    this.#lastActiveMs = this.#receivedMs = this.#knownMs = nowMs;
    this.activity.received(bytes.length, nowMs);
    this.#heldBytes += bytes.length;
    this.#services.memory.hold(bytes.length);
    this.#reader.push(bytes);
    this.#pump();
  }

  onDrain(): void {
    this.#pumpLater();
    this.#lastActiveMs = this.#knownMs;
  }

  onClose(error: Error | null): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (error !== null) {
      this.#services.logger.debug("a connection broke", {
        peer: formatAddress(this.peerAddress),
        error: error.message,
      });
    }
    this.#idleTimer?.cancel();
    this.#turnTimer?.cancel();
    this.#throttleTimer?.cancel();
    this.#next = null;
    // Requests under way go on, and free their bytes when they finish.
    const busyBytes = this.#underWay.reduce((sum, request) => sum + request.heldBytes, 0);
    this.#free(this.#heldBytes - busyBytes);
    this.#services.memory.leave(this);
    this.#abort.abort(new ConnectionError("the connection is gone"));
    this.#services.onClosed(this);
  }

  onRoom(): void {
    this.#waitsForMemory = false;
    this.#pumpLater();
  }

  onFavourExpired(): void {
    this.#log("closing a connection that is slow to send its request while memory is short", {
      "queued.max.request.bytes": this.#services.memory.limitBytes,
    });
    this.destroy();
  }

  #startClosing(): void {
    this.#state = "closing";
    this.#next = null;
    this.#finishClosing();
  }

  #finishClosing(): void {
    if (this.#state === "closing" && this.#underWay.length === 0) this.#socket.end();
  }

  /** As `#pump`, where time has passed. */
  #pumpLater(): void {
    this.#knownMs = this.#services.clock.monotonicMs();
    this.#pump();
  }

  /** Starts what may start, then reads on or pauses. */
  #pump(): void {
    if (this.#pumping || this.#state !== "open") return;
    this.#pumping = true;
    try {
      this.#startRequests();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
    if (this.#state === "open") this.#adjustReading();
    else this.#finishClosing();
  }

  #startRequests(): void {
    for (let started = 0; this.#state === "open"; started++) {
      this.#next ??= this.#readNext();
      if (this.#next === null || !this.#mayStart(this.#next.request)) return;
      if (started === REQUESTS_PER_TURN) {
        this.#turnTimer ??= this.#services.clock.setTimer(0, () => {
          this.#turnTimer = null;
          this.#pumpLater();
        });
        return;
      }
      const received = this.#next;
      this.#next = null;
      this.#start(received);
    }
  }

  #readNext(): Received | null {
    const frame = this.#reader.next();
    if (frame !== null) {
      const buffer = this.#reader.takeBuffer();
      const request = this.#services.parse(frame, this);
      const heldBytes = frame.length + LENGTH_BYTES;
      return { request, heldBytes, buffer, receivedMs: this.#receivedMs };
    }
    const { badLength } = this.#reader;
    if (badLength === null) return null;
    const bad = describeBadStream(badLength, this.#services.limits.requestBytesMax);
    throw new ConnectionError(`got ${bad.what}: ${bad.whatToDo}`);
  }

  #mayStart(request: ParsedRequest): boolean {
    if (this.#turnTimer !== null || this.#throttleTimer !== null) return false;
    if (this.#socket.pendingBytes > UNSENT_RESPONSE_BYTES_MAX) return false;
    const last = this.#underWay.at(-1);
    if (last === undefined) return true;
    // All that are under way are pipelined if the last one is.
    return request.pipelined && last.request.pipelined &&
      this.#underWay.length < REQUESTS_UNDER_WAY_MAX;
  }

  #start(received: Received): void {
    const { request } = received;
    const { metrics } = request;
    const slot: UnderWay = {
      ...received,
      startedMs: this.#knownMs,
      localMs: -1,
      waits: false,
      done: false,
      response: null,
    };
    metrics.started++;
    metrics.requestBytes += received.heldBytes;
    this.#underWay.push(slot);
    this.#services.memory.requestStarted(this);
    let result: ResponseChunks | null | Promise<ResponseChunks | null>;
    try {
      result = request.run();
    } catch (error) {
      this.#finish(slot, null);
      throw error;
    }
    if (result instanceof Promise) {
      slot.waits = true;
      if (metrics.samplesLocal) {
        slot.localMs = this.#services.clock.monotonicMs() - slot.startedMs;
      }
      result.then(
        (response) => this.#finish(slot, response),
        (error: unknown) => {
          this.#fail(error);
          this.#finish(slot, null);
        },
      );
    } else {
      this.#finish(slot, result);
    }
  }

  /** A request is done; sends every response whose turn has come. */
  #finish(slot: UnderWay, response: ResponseChunks | null): void {
    slot.done = true;
    slot.response = response;
    if (slot.buffer !== null && slot.request.releasesFrame) {
      this.#services.buffers.give(slot.buffer);
    }
    let head = this.#underWay[0];
    while (head?.done) {
      this.#underWay.shift();
      if (head.response !== null && this.#state !== "closed") {
        this.#send(head.response, head.request.metrics);
      }
      this.#count(head);
      this.#free(head.heldBytes);
      this.#services.memory.requestFinished();
      head = this.#underWay[0];
    }
    if (this.#state === "closing") this.#finishClosing();
    else this.#pump();
  }

  #send(response: ResponseChunks, metrics: ApiMetrics): void {
    let bytes = 0;
    for (const chunk of response) {
      this.#socket.write(chunk);
      bytes += chunk.length;
    }
    this.activity.bytesOut += bytes;
    metrics.responseBytes += bytes;
    this.#lastActiveMs = this.#knownMs = this.#services.clock.monotonicMs();
  }

  /** The request is done with; one without an answer takes the time that was last read. */
  #count(
    { request, heldBytes, receivedMs, startedMs, localMs, waits }: UnderWay,
  ): void {
    const { metrics, correlationId } = request;
    const doneMs = this.#knownMs;
    const totalMs = Math.max(0, doneMs - receivedMs);
    const queueMs = Math.max(0, startedMs - receivedMs);
    const busyMs = waits ? localMs : Math.max(0, doneMs - startedMs);
    metrics.finished++;
    metrics.total.record(totalMs);
    metrics.queueMs += queueMs;
    if (busyMs >= 0) metrics.busy(busyMs);
    const { slow } = this.#services;
    if (slow === null || slow === undefined || totalMs < slow.limitMs) return;
    slow.note({
      api: metrics.name,
      clientId: this.activity.clientId,
      connection: this.id,
      correlationId,
      listener: this.listener.name,
      peer: formatAddress(this.peerAddress),
      totalMs,
      queueMs,
      localMs: busyMs,
      requestBytes: heldBytes,
    });
  }

  #free(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#services.memory.free(bytes);
  }

  #adjustReading(): void {
    const isBlocked = this.#next !== null;
    if (!this.#waitsForMemory && !this.#services.memory.mayRead(this)) this.#waitsForMemory = true;
    const pause = this.#waitsForMemory ||
      isBlocked && this.#reader.bufferedBytes >= UNREAD_BYTES_MAX;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #fail(error: unknown): void {
    if (this.#state === "closed") return;
    if (error instanceof ConnectionError) {
      this.#log("closing a connection", { reason: error.message });
    } else this.#logBug(error);
    this.destroy();
  }

  #logBug(error: unknown): void {
    const stack = stackOf(error);
    this.#services.logger.error("closing a connection after an internal error", {
      peer: formatAddress(this.peerAddress),
      stack,
    });
  }

  #log(message: string, fields: Readonly<Record<string, string | number>>): void {
    this.#services.logger.warn(message, {
      peer: formatAddress(this.peerAddress),
      listener: this.listener.name,
      ...fields,
    });
  }

  #armIdle(delayMs: number): void {
    this.#idleTimer = this.#services.clock.setTimer(delayMs, () => {
      const { clock, limits } = this.#services;
      const idleMs = clock.monotonicMs() - this.#lastActiveMs;
      if (this.#underWay.length > 0) return this.#armIdle(limits.idleMs);
      if (idleMs < limits.idleMs) return this.#armIdle(limits.idleMs - idleMs);
      this.#services.logger.debug("closing an idle connection", {
        peer: formatAddress(this.peerAddress),
        idleMs: Math.round(idleMs),
      });
      this.destroy();
    });
  }
}
