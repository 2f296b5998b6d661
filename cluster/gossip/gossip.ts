/**
 * Gossip: who is in the cluster, how they are reached and who seems to have failed. A member of it
 * binds one port for UDP and TCP, joins by any other member and learns of all. What it says is a
 * hint: nobody is fenced, and nobody leads, because of gossip alone.
 *
 * This file drives the state machine in `swim.ts` with clock and network.
 */
import { assert, AssertionError } from "../../core/assert.ts";
import type {
  Clock,
  Datagrams,
  DatagramSocket,
  HostPort,
  Network,
  NetworkListener,
  Random,
  Socket,
  SocketHandlers,
  Timer,
} from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { Action } from "./action.ts";
import { decodePacket } from "./codec.ts";
import { type GossipCounters, Traffic } from "./counters.ts";
import { checkKeys, Envelope, type KeyRing } from "./envelope.ts";
import { answerCall, callExchange, callPing, type ExchangeParts } from "./exchange.ts";
import { FrameStream } from "./frame-stream.ts";
import { join } from "./joining.ts";
import {
  addressText,
  type GossipEvent,
  type Member,
  type MemberMeta,
  sameAddress,
} from "./member.ts";
import { bindError, checkMeta, checkOptions, type GossipOptions, timingsOf } from "./settings.ts";
import { Swim } from "./swim.ts";
import type { Timings } from "./timings.ts";

/** Most TCP connections from others at a time. */
const CALLS_MAX = 64;
/** Most state exchanges of our own at a time, apart from those that join. */
const EXCHANGES_MAX = 4;
const MEMBERS_MAX = 10_000;
/** With port 0 a port has to be free for both UDP and TCP. */
const BIND_ATTEMPTS = 10;
/** A join refused for a node id that is taken is tried for so many probe intervals. */
const CONFLICT_PATIENCE_INTERVALS = 20;

/** The world of a gossiping member. */
export interface GossipIo {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly datagrams: Datagrams;
}

/** What there is once it has started. */
interface Running {
  readonly swim: Swim;
  readonly socket: DatagramSocket;
  readonly listener: NetworkListener;
  readonly exchange: ExchangeParts;
}

/** See the head of this file. */
export class Gossip {
  readonly #io: GossipIo;
  readonly #options: GossipOptions;
  readonly #logger: Logger;
  readonly #timings: Timings;
  readonly #traffic: Traffic;
  readonly #packets: Envelope;
  readonly #frames: Envelope;
  readonly #listeners = new Set<(event: GossipEvent) => void>();
  readonly #streams = new Set<FrameStream>();
  readonly #closing = new AbortController();
  readonly #toldLeaving = Promise.withResolvers<void>();
  #running: Running | null = null;
  #timer: Timer | null = null;
  #timerMs = Infinity;
  #calls = 0;
  #exchanges = 0;
  #joinAddresses: readonly HostPort[] = [];

  /** Throws an `OperatorError` if the options cannot work. */
  constructor(io: GossipIo, options: GossipOptions, logger: Logger) {
    checkOptions(options);
    this.#io = io;
    this.#options = options;
    this.#logger = logger;
    this.#timings = timingsOf(options);
    this.#traffic = new Traffic(io.clock, logger);
    const { label, clusterId, keys = [] } = options;
    this.#packets = new Envelope(`packet\0${label}\0${clusterId}`, keys, io.random);
    // Without the cluster id: whoever is refused for it is told so.
    this.#frames = new Envelope(`frame\0${label}`, keys, io.random);
  }

  /** Binds its port and begins, alone. Rejects with an `OperatorError` if it cannot be bound. */
  async start(): Promise<void> {
    assert(this.#running === null, "gossip starts once");
    const { clock, random } = this.#io;
    const { nodeId, clusterId, meta, membersMax = MEMBERS_MAX } = this.#options;
    const { socket, listener } = await this.#bind();
    const { host, port } = this.#options.advertise ?? socket.address;
    const swim = new Swim({
      self: {
        nodeId,
        incarnation: Math.max(1, clock.wallMs()),
        address: { host, port: port === 0 ? socket.address.port : port },
        metaBytes: checkMeta(meta),
      },
      timings: this.#timings,
      membersMax,
      random,
    }, clock.monotonicMs());
    const exchange: ExchangeParts = {
      swim,
      clusterId,
      membersMax,
      nowMs: () => clock.monotonicMs(),
      merge: (sender, entries, isNewcomer) =>
        this.#run(swim.merge(sender, entries, isNewcomer, clock.monotonicMs())),
    };
    this.#running = { swim, socket, listener, exchange };
    this.#arm();
  }

  /** Where this member gossips, as it tells others. */
  get address(): HostPort {
    return this.#started().swim.self.address;
  }

  /**
   * Joins whoever answers at one of the addresses (`host` may be a name), trying until one does.
   * Resolves to false if all of them are this member itself. Rejects with an `OperatorError` if it is
   * refused: by a member of another cluster, one without our keys, or since its node id is taken.
   */
  async join(addresses: readonly HostPort[], signal?: AbortSignal): Promise<boolean> {
    const { clock, random } = this.#io;
    this.#started();
    this.#joinAddresses = [...addresses];
    const closing = this.#closing.signal;
    return await join(
      {
        clock,
        random,
        logger: this.#logger,
        conflictPatienceMs: CONFLICT_PATIENCE_INTERVALS * this.#timings.probeIntervalMs,
        exchange: (address) => this.#exchange(address),
      },
      addresses,
      signal === undefined ? closing : AbortSignal.any([signal, closing]),
    );
  }

  /** Tells the others that this member leaves; resolves when they have heard, or in any case soon. */
  async leave(): Promise<void> {
    const { swim } = this.#started();
    const isAlone = swim.clusterSize === 1;
    this.#run(swim.leave(this.#io.clock.monotonicMs()));
    if (isAlone) return;
    const timer = this.#io.clock.setTimer(
      this.#timings.leaveTimeoutMs,
      () => this.#toldLeaving.resolve(),
    );
    await this.#toldLeaving.promise;
    timer.cancel();
  }

  /** Tells the others something new about this member. Throws an `OperatorError` if it is too much. */
  updateMeta(meta: MemberMeta): void {
    const bytes = checkMeta(meta);
    const nowMs = this.#io.clock.monotonicMs();
    this.#run(this.#started().swim.updateMeta(meta, bytes, nowMs));
  }

  /** Other keys from now on (`envelope.ts` says how all members change them). */
  setKeys(keys: KeyRing): void {
    checkKeys(keys);
    this.#packets.setKeys(keys);
    this.#frames.setKeys(keys);
  }

  /** All members that are known, also who failed or left lately; this one is first. */
  members(): Member[] {
    return this.#started().swim.members();
  }

  /** Calls back at each change, in their order, synchronously. The returned function ends it. */
  onChange(listener: (event: GossipEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What has happened so far. */
  counters(): GossipCounters {
    const { swim } = this.#started();
    const { packetsSent, packetBytesSent, packetsReceived, packetBytesReceived } = this.#traffic;
    const { sendFailures, streamBytesSent, streamBytesReceived } = this.#traffic;
    const { exchanges, failedExchanges, dropped } = this.#traffic;
    return {
      ...swim.counters,
      packetsSent,
      packetBytesSent,
      packetsReceived,
      packetBytesReceived,
      sendFailures,
      streamBytesSent,
      streamBytesReceived,
      exchanges,
      failedExchanges,
      dropped: { ...dropped },
      healthScore: swim.healthScore,
      queuedNews: swim.queuedNews,
      clusterSize: swim.clusterSize,
    };
  }

  /** Stops without a word: for the others it has failed, unless it has left before. */
  close(): void {
    this.#closing.abort(new Error("gossip is closed"));
    this.#timer?.cancel();
    this.#timer = null;
    this.#toldLeaving.resolve();
    for (const stream of [...this.#streams]) stream.abort();
    if (this.#running === null) return;
    this.#running.socket.close();
    this.#running.listener.close();
  }

  #started(): Running {
    assert(this.#running !== null, "gossip was started");
    return this.#running;
  }

  async #bind(): Promise<{ socket: DatagramSocket; listener: NetworkListener }> {
    const { bind } = this.#options;
    const { datagrams, network } = this.#io;
    for (let attempt = 1;; attempt++) {
      let socket: DatagramSocket | null = null;
      try {
        socket = await datagrams.bind(bind, (bytes, from) => this.#received(bytes, from));
        const at = { host: bind.host, port: socket.address.port };
        const listener = await network.listen(at, (tcp) => this.#accept(tcp));
        return { socket, listener };
      } catch (error) {
        socket?.close();
        if (bind.port !== 0 || attempt === BIND_ATTEMPTS) throw bindError(bind, error);
      }
    }
  }

  #received(bytes: Uint8Array, from: HostPort): void {
    if (this.#running === null || this.#closing.signal.aborted) return;
    this.#traffic.packetsReceived++;
    this.#traffic.packetBytesReceived += bytes.length;
    const payload = this.#packets.open(bytes);
    if (typeof payload === "string") return this.#traffic.drop(payload, addressText(from));
    const packet = decodePacket(payload);
    if (packet === null) return this.#traffic.drop("malformed", addressText(from));
    const { swim } = this.#running;
    this.#run(swim.receive(packet, from, this.#io.clock.monotonicMs()));
  }

  #run(actions: readonly Action[]): void {
    for (const action of actions) this.#perform(action);
    this.#arm();
  }

  #perform(action: Action): void {
    switch (action.kind) {
      case "send":
        return this.#send(action.to, action.payload);
      case "sync":
        return this.#exchangeSoon(action.address);
      case "streamPing":
        return void this.#streamPing(action);
      case "rejoin":
        return this.#rejoin();
      case "event":
        for (const listener of [...this.#listeners]) listener(action.event);
        return;
      case "toldLeaving":
        this.#toldLeaving.resolve();
    }
  }

  #send(to: HostPort, payload: Uint8Array): void {
    if (this.#closing.signal.aborted) return;
    const bytes = this.#packets.seal(payload);
    this.#traffic.packetsSent++;
    this.#traffic.packetBytesSent += bytes.length;
    if (!this.#started().socket.send(to, bytes)) this.#traffic.sendFailures++;
  }

  /** Sets the timer to when the state machine wants to be woken; one that is earlier stays. */
  #arm(): void {
    if (this.#running === null || this.#closing.signal.aborted) return;
    const { clock } = this.#io;
    const atMs = this.#running.swim.wakeAtMs;
    if (atMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => this.#wake());
  }

  #wake(): void {
    this.#timerMs = Infinity;
    const { swim } = this.#started();
    const nowMs = this.#io.clock.monotonicMs();
    if (swim.wakeAtMs <= nowMs) this.#run(swim.wake(nowMs));
    else this.#arm();
  }

  #openStream(timeoutMs: number, peer: () => string): FrameStream {
    const stream = new FrameStream({
      clock: this.#io.clock,
      envelope: this.#frames,
      timeoutMs,
      onBytes: (count) => this.#traffic.streamBytes(count),
      onDropped: (why) => this.#traffic.drop(why, peer()),
    });
    this.#streams.add(stream);
    return stream;
  }

  #accept(socket: Socket): SocketHandlers {
    const stream = this.#openStream(
      this.#timings.streamTimeoutMs,
      () => addressText(socket.remote),
    );
    stream.attach(socket);
    if (this.#running === null || this.#calls >= CALLS_MAX || this.#closing.signal.aborted) {
      stream.destroy();
      this.#streams.delete(stream);
    } else {
      this.#calls++;
      void this.#answer(this.#running.exchange, stream, socket.remote);
    }
    return stream.handlers;
  }

  async #answer(parts: ExchangeParts, stream: FrameStream, remote: HostPort): Promise<void> {
    try {
      await answerCall(parts, stream, remote);
    } catch (error) {
      this.#logger.debug("a gossip call failed", { from: addressText(remote), why: reason(error) });
    } finally {
      this.#calls--;
      stream.destroy();
      this.#streams.delete(stream);
    }
  }

  #rejoin(): void {
    const others = this.#joinAddresses.filter((address) => !sameAddress(address, this.address));
    const address = others[this.#io.random.below(Math.max(1, others.length))];
    if (address !== undefined) this.#exchangeSoon(address);
  }

  #exchangeSoon(address: HostPort): void {
    if (this.#exchanges >= EXCHANGES_MAX) return;
    this.#exchanges++;
    this.#exchange(address).catch((error: unknown) => {
      this.#logger.debug("a state exchange failed", {
        with: addressText(address),
        why: reason(error),
      });
    }).finally(() => this.#exchanges--);
  }

  /** Rejects if it does not come about. */
  async #exchange(address: HostPort): Promise<void> {
    const { exchange } = this.#started();
    this.#traffic.exchanges++;
    try {
      await this.#call(
        address,
        this.#timings.streamTimeoutMs,
        (stream, remote) => callExchange(exchange, stream, remote),
      );
    } catch (error) {
      this.#traffic.failedExchanges++;
      throw error;
    }
  }

  async #streamPing(ping: Extract<Action, { readonly kind: "streamPing" }>): Promise<void> {
    const { address, sequence, target, timeoutMs } = ping;
    const { swim } = this.#started();
    try {
      await this.#call(address, timeoutMs, (stream) => callPing(stream, sequence, target));
    } catch (error) {
      // No answer over TCP either: the probe itself says so when its time is over.
      return void reason(error);
    }
    this.#run(swim.streamAck(sequence, this.#io.clock.monotonicMs()));
  }

  async #call(
    address: HostPort,
    timeoutMs: number,
    talk: (stream: FrameStream, remote: HostPort) => Promise<void>,
  ): Promise<void> {
    const stream = this.#openStream(timeoutMs, () => addressText(address));
    try {
      const { signal } = this.#closing;
      const connecting = { timeoutMs, signal };
      const socket = await this.#io.network.connect(address, stream.handlers, connecting);
      stream.attach(socket);
      await talk(stream, socket.remote);
    } finally {
      stream.destroy();
      this.#streams.delete(stream);
    }
  }
}

/** What went wrong with a connection, in words; a bug is thrown on. */
function reason(error: unknown): string {
  if (error instanceof AssertionError) throw error;
  return error instanceof Error ? error.message : String(error);
}
