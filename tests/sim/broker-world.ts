/** A broker's services on a virtual clock and a faulty disk, asked through its handlers. */
import { BrokerMetrics } from "../../broker/metrics/broker-metrics.ts";
import { drainMicrotasks } from "bun:jsc";
import { allowAll, ANONYMOUS } from "../../broker/authorizer.ts";
import type { Broker } from "../../broker/broker.ts";
import { ClientActivity } from "../../broker/client-activity.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import type { Handler } from "../../broker/handler.ts";
import type { NewTopic } from "../../broker/plan-topics.ts";
import { type ConnectionState, requestContext } from "../../broker/request-context.ts";
import { openServices, type Services } from "../../broker/services.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { Clock, Io } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinChunks,
} from "../../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { SimClock, StuckError } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";

const ANSWER_MS = 600_000;
const ADDRESS = { host: "127.0.0.1", port: 9092 };

/** The process that a request went to is gone: nobody hears the answer. */
export class CrashedError extends Error {
  override readonly name = "CrashedError";
}

/** Requests to one process, over one connection. */
export type Call = <A extends Api>(
  handler: Handler<A>,
  version: number,
  request: EncodableRequest<A>,
) => Promise<ResponseOf<A>>;

/** See the head of this file. Timers of clients outlive the process, those of the broker do not. */
export class BrokerWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly disk: FaultyDisk;
  services!: Services;
  /** Counts processes, so that a client of an earlier one hears that it is gone. */
  life = 0;
  /** Null while no process runs. */
  #broker: Broker | null = null;
  #connections = 0;
  /** Ends the requests that are under way when the process goes. */
  readonly #waiting = new Set<() => void>();
  readonly #processClock: Clock;

  constructor(
    readonly random: SimRandom,
    readonly logger: Logger,
    readonly configs: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  ) {
    const { clock } = this;
    this.#processClock = {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback) => {
        const { life } = this;
        return clock.setTimer(delayMs, () => {
          if (life === this.life) callback();
        });
      },
    };
    this.disk = new FaultyDisk(this.#processClock, random);
  }

  /** Starts the broker on what the disk holds. */
  start(): void {
    const { random, disk, logger } = this;
    const clock = this.#processClock;
    const io = { clock, random, disk, offload: inlineOffload() } as unknown as Io;
    const config = BrokerConfig.of(this.configs);
    const codecs = NO_CODECS;
    const opened = openServices({ io, logger, config, dataDirs: ["/data"], codecs });
    this.services = this.clock.run(opened);
    const parts: Partial<Broker> = {
      ...this.services,
      io,
      logger,
      config,
      authorizer: allowAll,
      cluster: null,
      metrics: new BrokerMetrics(),
      tracing: null,
      nodeId: this.services.dataDirs.nodeId,
      stopping: new AbortController().signal,
    };
    this.#broker = parts as Broker;
  }

  createTopics(topics: readonly NewTopic[]): void {
    const outcomes = this.clock.run(this.services.controller.createTopics(topics));
    for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.message);
  }

  /** A clean restart. */
  restart(): void {
    this.clock.run(this.services.close());
    this.#end();
    this.disk.forgetCrashPoint();
    this.start();
  }

  /** The process is killed, or the power goes with this much of what was not synced. */
  crash(how: LossMode | "kill"): void {
    this.#end();
    if (how === "kill") this.disk.killProcess();
    else this.disk.cutPower(how);
    this.start();
  }

  /** A crash of any kind, or a clean restart; says which. Writes do not fail while it starts. */
  crashSomehow(restartPercent: number): string {
    const how = this.random.pick(["kill", "nothing", "everything", "prefix", "sectors"] as const);
    // A disk that refuses at the start is for the operator.
    const { faults } = this.disk;
    const { failingWritePercent } = faults;
    faults.failingWritePercent = 0;
    const restarts = !this.disk.isAtCrashPoint && this.random.chance(restartPercent);
    if (restarts) this.restart();
    else this.crash(how);
    faults.failingWritePercent = failingWritePercent;
    return restarts ? "restart" : how;
  }

  /** Lets time pass, up to a crash point of the disk; false if it came to one. */
  advance(byMs: number): boolean {
    const untilMs = this.clock.monotonicMs() + byMs;
    while (!this.disk.isAtCrashPoint && this.clock.step(untilMs));
    if (this.disk.isAtCrashPoint) return false;
    this.clock.advance(untilMs - this.clock.monotonicMs());
    return true;
  }

  /**
   * What comes of a promise of the process; throws a `CrashedError` if the disk comes to a crash
   * point first. What is seen after one will never have been.
   */
  ask<T>(promise: Promise<T>): T {
    const settled = this.clock.runUntil(promise, () => this.disk.isAtCrashPoint, ANSWER_MS);
    if (settled !== null) return settled.value;
    if (this.disk.isAtCrashPoint) throw new CrashedError();
    throw new StuckError(`no answer within ${ANSWER_MS} ms`);
  }

  /** Nothing of the process goes on. */
  #end(): void {
    // What it does without waiting for anything it has done.
    drainMicrotasks();
    this.life++;
    this.#broker = null;
    for (const end of [...this.#waiting]) end();
    this.#waiting.clear();
  }

  /** A connection to the process that runs now; `gone` is aborted when the client breaks it off. */
  connect(gone: AbortSignal = new AbortController().signal): Call {
    const { life } = this;
    const broker = this.#broker;
    const broken = new AbortController();
    // A process that is gone hears nothing of it.
    gone.addEventListener("abort", () => {
      if (life === this.life) broken.abort();
    });
    const connection: ConnectionState = {
      id: ++this.#connections,
      listener: { name: "PLAINTEXT", bound: ADDRESS, advertised: null },
      localAddress: ADDRESS,
      peerAddress: { host: "127.0.0.1", port: 40_000 },
      signal: broken.signal,
      principal: ANONYMOUS,
      clientSoftware: null,
      activity: new ClientActivity(0, 0),
      close: () => {},
      throttle: () => {},
    };
    return async (handler, version, request) => {
      if (life !== this.life || broker === null) throw new CrashedError();
      const { api } = handler;
      const bytes = joinChunks(encodeRequest(api, version, request));
      const decoded = decodeRequest(api, version, bytes);
      const identity = { apiKey: api.key, apiVersion: version, correlationId: 1, clientId: null };
      const context = requestContext(connection, identity, broker.authorizer);
      const response = await this.#orCrash(() => handler.handle(context, decoded, broker));
      if (response === null) throw new CrashedError();
      return decodeResponse(api, version, joinChunks(encodeResponse(api, version, response)));
    };
  }

  /** What the process answers, or that it is gone before it does. */
  #orCrash<T>(answer: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => reject(new CrashedError());
      this.#waiting.add(end);
      const answered = new Promise<T>((settle) => settle(answer()));
      void answered.then(resolve, reject).finally(() => this.#waiting.delete(end));
    });
  }
}
