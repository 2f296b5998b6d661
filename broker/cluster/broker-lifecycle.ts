/**
 * A broker's membership of its cluster, seen from the broker: it registers with the controller, waits until
 * it has applied its own registration, and then says again and again that it is there, until it leaves in
 * good order. Kafka's `BrokerLifecycleManager`.
 *
 * Nothing of safety hangs on it: who is fenced and does not know serves only what its epochs allow.
 */
import { asError } from "../../core/as-error.ts";
import type { ControllerElection } from "../../cluster/controller-election.ts";
import type { BrokerEndpoint, SupportedFeature } from "../../cluster/metadata-records.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import { type Deferred, deferred } from "../../core/deferred.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { type Clock, type Random, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { brokerRegistration } from "../../core/protocol/62-broker-registration.ts";
import { brokerHeartbeat } from "../../core/protocol/63-broker-heartbeat.ts";
import type { EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { Peers } from "./peers.ts";
import { HOST_TAG, MESSAGE_TAG, taggedText, textOfTag } from "./registration-tags.ts";

/** What it is built from. */
export interface BrokerLifecycleOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly nodeId: number;
  readonly clusterId: string;
  /** A UUID in Kafka's base64url form, another one for each start of the process. */
  readonly incarnationId: string;
  /** The machine that this broker is on. */
  readonly host: string;
  readonly features: readonly SupportedFeature[];
  readonly peers: Pick<Peers, "requestController">;
  readonly metadata: MetadataCache;
  /** Another controller wants to hear of this broker at once. */
  readonly election?: Pick<ControllerElection, "controller" | "onChange">;
  /** The epoch under which this broker last stopped in good order; −1: it did not. */
  readonly previousBrokerEpoch: number;
  /** Ids of its data directories, and of those that have failed (KIP-858). */
  readonly logDirs: readonly string[];
  offlineDirs(): readonly string[];
  /** What is to be done between having caught up and serving. The broker stays fenced meanwhile. */
  prepare?(): Promise<void>;
  /** The broker cannot go on: it was unregistered and is refused for good, or `prepare` has failed. */
  onFailure(error: Error): void;
}

/** One try of a request to the controller. */
const REGISTRATION_TIMEOUT_MS = 10_000;
/** Between tries to register. */
const RETRY_MS = 250;
/** Between heartbeats that wait for something. */
const EAGER_MS = 100;

type Registered = ResponseOf<typeof brokerRegistration>;

/** See the head of the file. `start` it when the broker can be reached; `shutDown` or `stop` it. */
export class BrokerLifecycle {
  readonly #options: BrokerLifecycleOptions;
  readonly #closed = new AbortController();
  readonly #caughtUp: Deferred<void> = deferred();
  readonly #active: Deferred<void> = deferred();
  readonly #mayStop: Deferred<void> = deferred();
  #endpoints: readonly BrokerEndpoint[] = [];
  #epoch = -1;
  #isPreparing = false;
  #isPrepared = false;
  #wantsFence = false;
  #wantsShutdown = false;
  #isActive = false;
  /** When who is taken for the controller has answered last. */
  #heardMs: number;
  #beating: Promise<void> | null = null;
  #hasNews = false;
  #endPause: () => void = () => {};

  constructor(options: BrokerLifecycleOptions) {
    this.#options = options;
    this.#heardMs = options.clock.monotonicMs();
    for (const each of [this.#caughtUp, this.#active]) each.promise.catch(() => {});
  }

  /** Resolves when this broker has applied its own registration. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  /** Resolves when it was unfenced for the first time: it may lead. */
  get active(): Promise<void> {
    return this.#active.promise;
  }

  /** Whether it is unfenced, as far as it knows. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /**
   * Why clients should not count on this broker, or null. Without any controller in the cluster it goes on
   * from the metadata that it has, as all brokers do; but when one does not answer it, others lead by now
   * what it led.
   */
  trouble(): string | null {
    const { clock, election } = this.#options;
    if (this.#wantsShutdown) return "the broker is stopping: others take over what it leads";
    if (!this.#isActive) {
      return "the controller counts this broker as away (fenced): it leads nothing";
    }
    const unheardMs = clock.monotonicMs() - this.#heardMs;
    const controller = election?.controller ?? null;
    if (controller === null || unheardMs <= this.#patienceMs) return null;
    const forSeconds = Math.floor(unheardMs / 1000);
    return `the controller, node ${controller.nodeId}, has not answered for ${forSeconds} s: others ` +
      "may lead by now what this broker led";
  }

  /** A session, and the time in which the next heartbeat would have been answered. */
  get #patienceMs(): number {
    const { config } = this.#options;
    return config.get("broker.session.timeout.ms") + config.get("broker.heartbeat.interval.ms");
  }

  /** Of the registration in force; −1: none yet. */
  brokerEpoch(): number {
    return this.#epoch;
  }

  /** What the next start is to know as `previousBrokerEpoch`, if this stop is in good order. */
  get epochAtStop(): number {
    return this.#epoch >= 0 ? this.#epoch : this.#options.previousBrokerEpoch;
  }

  /**
   * Registers the broker at these addresses. Resolves when that is done; heartbeats begin. Throws an
   * `OperatorError` if the cluster refuses the broker or does not answer within
   * `initial.broker.registration.timeout.ms`.
   */
  async start(endpoints: readonly BrokerEndpoint[]): Promise<void> {
    const { clock, config } = this.#options;
    this.#endpoints = endpoints;
    const timeoutMs = config.get("initial.broker.registration.timeout.ms");
    const refused = await this.#register(clock.monotonicMs() + timeoutMs);
    if (refused !== null) throw refused;
    this.#beating = this.#beat();
  }

  /** Gives up its leaderships and ISRs for good: its storage has failed. */
  fence(): void {
    this.#wantsFence = true;
    this.#wake();
  }

  /** The controller is told at once if a data directory has failed. */
  tellDirFailure(): void {
    this.#wake();
  }

  /**
   * Leaves in good order: the controller moves what this broker leads. Resolves when it may stop, and
   * after `timeoutMs` in any case, with whether it was in good order.
   */
  async shutDown(timeoutMs: number): Promise<boolean> {
    const { clock, config } = this.#options;
    const isWanted = config.get("controlled.shutdown.enable") && this.#beating !== null;
    let isInOrder = false;
    if (isWanted) {
      this.#wantsShutdown = true;
      this.#wake();
      const over = new AbortController();
      isInOrder = await Promise.race([
        this.#mayStop.promise.then(() => true),
        sleep(clock, timeoutMs, over.signal).then(() => false, () => false),
      ]);
      over.abort(new Error("the wait is over"));
    }
    await this.stop();
    return isInOrder;
  }

  /** Sends nothing any more. The cluster notices after a session. */
  async stop(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    this.#wake();
    this.#caughtUp.reject(this.#closed.signal.reason);
    this.#active.reject(this.#closed.signal.reason);
    await this.#beating;
  }

  /** Null once it is registered or this is closed; else why it never will be. */
  async #register(deadlineMs: number): Promise<OperatorError | null> {
    const { clock, config, logger } = this.#options;
    const { signal } = this.#closed;
    const beganMs = clock.monotonicMs();
    // The session of an earlier process of this broker has to end.
    const duplicateMs = config.get("broker.session.timeout.ms") * 1.5;
    for (let lastWhy = ""; !signal.aborted;) {
      const { error, why } = await this.#tryToRegister(deadlineMs);
      if (error === Errors.NONE) return null;
      if (signal.aborted) break;
      const isDuplicate = error === Errors.DUPLICATE_BROKER_REGISTRATION;
      const waitedMs = clock.monotonicMs() - beganMs;
      if (!isDuplicate || waitedMs > duplicateMs) {
        const refusal = this.#refusal(error, why);
        if (refusal !== null) return refusal;
      }
      if (clock.monotonicMs() >= deadlineMs) return this.#noAnswer(why);
      if (why !== lastWhy) logger.warn("this broker is not registered yet", { reason: why });
      lastWhy = why;
      await sleep(clock, RETRY_MS, signal).catch(() => {});
    }
    return null;
  }

  async #tryToRegister(
    deadlineMs: number,
  ): Promise<{ readonly error: number; readonly why: string }> {
    const { clock, peers } = this.#options;
    const leftMs = Math.max(1, deadlineMs - clock.monotonicMs());
    try {
      const response = await peers.requestController(
        brokerRegistration,
        this.#registration(),
        ({ errorCode }) => errorCode === Errors.NOT_CONTROLLER,
        {
          timeoutMs: Math.min(leftMs, REGISTRATION_TIMEOUT_MS),
          signal: this.#closed.signal,
          use: "heartbeats",
        },
      );
      return this.#take(response);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      // Who has been a member may only have other certificates already than the controller.
      const isRefused = error.failure === "authentication" ||
        error.failure === "tls" && this.#epoch < 0;
      const code = isRefused ? Errors.CLUSTER_AUTHORIZATION_FAILED : Errors.NETWORK_EXCEPTION;
      return { error: code, why: error.message };
    }
  }

  #take(response: Registered): { readonly error: number; readonly why: string } {
    const { errorCode, brokerEpoch } = response;
    if (errorCode === Errors.NONE) {
      this.#epoch = Number(brokerEpoch);
      this.#options.logger.info("this broker is registered", { epoch: this.#epoch });
      return { error: Errors.NONE, why: "" };
    }
    return { error: errorCode, why: textOfTag(response, MESSAGE_TAG) ?? errorName(errorCode) };
  }

  #registration(): EncodableRequest<typeof brokerRegistration> {
    const { nodeId, clusterId, incarnationId, config, host, features } = this.#options;
    return {
      brokerId: nodeId,
      clusterId,
      incarnationId,
      listeners: this.#endpoints,
      features: features.map(({ name, minLevel, maxLevel }) => ({
        name,
        minSupportedVersion: minLevel,
        maxSupportedVersion: maxLevel,
      })),
      rack: config.get("broker.rack"),
      logDirs: this.#options.logDirs,
      previousBrokerEpoch: BigInt(this.#options.previousBrokerEpoch),
      unknownTags: [taggedText(HOST_TAG, host)],
    };
  }

  /** What another try cannot mend, or null. */
  #refusal(error: number, said: string): OperatorError | null {
    const { nodeId } = this.#options;
    const why = said.replace(/\.$/, "");
    const what = `broker ${nodeId} cannot join the cluster`;
    switch (error) {
      case Errors.DUPLICATE_BROKER_REGISTRATION:
        return new OperatorError(what, why, "give one of the two another node.id, or stop it");
      case Errors.INCONSISTENT_CLUSTER_ID:
        return new OperatorError(
          what,
          why,
          "start it with the cluster that its data directory belongs to, or with an empty one",
        );
      case Errors.UNSUPPORTED_VERSION:
        return new OperatorError(what, why, "start a version of kstream that knows it");
      case Errors.INVALID_REQUEST:
      case Errors.INVALID_REGISTRATION:
        return new OperatorError(
          what,
          why,
          "advertise addresses that all machines of the cluster can reach (advertised.listeners)",
        );
      case Errors.CLUSTER_AUTHORIZATION_FAILED:
        return new OperatorError(what, why, "start it with the secret of the cluster");
      default:
        return null;
    }
  }

  #noAnswer(why: string): OperatorError {
    return new OperatorError(
      `broker ${this.#options.nodeId} could not join the cluster in time`,
      why,
      "start the other nodes, and see that they and etcd can be reached",
      3,
    );
  }

  /** Says again and again that this broker is there. */
  async #beat(): Promise<void> {
    const { signal } = this.#closed;
    const { election, metadata } = this.#options;
    const ends = [
      metadata.onChange(() => this.#lookWhetherCaughtUp()),
      election?.onChange(() => this.#wake()),
    ];
    this.#lookWhetherCaughtUp();
    while (!signal.aborted) {
      this.#hasNews = false;
      const isEager = await this.#beatOnce();
      if (!signal.aborted) await this.#pause(isEager);
    }
    for (const end of ends) end?.();
  }

  /** Whether something is waited for. */
  async #beatOnce(): Promise<boolean> {
    const { config, logger, metadata, nodeId, peers } = this.#options;
    const epoch = this.#epoch;
    const wantsShutdown = this.#wantsShutdown;
    try {
      const response = await peers.requestController(
        brokerHeartbeat,
        {
          brokerId: nodeId,
          brokerEpoch: BigInt(epoch),
          currentMetadataOffset: BigInt(metadata.image.position),
          wantFence: this.#wantsFence || !this.#isPrepared,
          wantShutDown: wantsShutdown,
          offlineLogDirs: this.#options.offlineDirs(),
        },
        ({ errorCode }) => {
          this.#heardMs = this.#options.clock.monotonicMs();
          return errorCode === Errors.NOT_CONTROLLER;
        },
        {
          timeoutMs: config.get("broker.session.timeout.ms"),
          signal: this.#closed.signal,
          use: "heartbeats",
        },
      );
      return await this.#heed(response, wantsShutdown);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      if (this.#closed.signal.aborted) return false;
      logger.warn("the controller does not hear this broker", { reason: error.message });
      return true;
    }
  }

  async #heed(
    { errorCode, isFenced, shouldShutDown }: ResponseOf<typeof brokerHeartbeat>,
    wantsShutdown: boolean,
  ): Promise<boolean> {
    const { logger } = this.#options;
    if (errorCode === Errors.STALE_BROKER_EPOCH || errorCode === Errors.BROKER_ID_NOT_REGISTERED) {
      logger.warn("this broker is not registered any more, it registers again");
      this.#setActive(false);
      if (wantsShutdown) {
        this.#mayStop.resolve();
        return false;
      }
      const refused = await this.#register(Infinity);
      if (refused !== null) {
        this.#closed.abort(refused);
        this.#options.onFailure(refused);
      }
      return true;
    }
    if (errorCode !== Errors.NONE) {
      const reason = errorName(errorCode);
      logger.warn("the controller cannot do what a heartbeat wants", { reason });
      return false;
    }
    this.#setActive(!isFenced);
    if (shouldShutDown) this.#mayStop.resolve();
    if (wantsShutdown) return !shouldShutDown;
    return isFenced && this.#isPrepared && !this.#wantsFence;
  }

  #setActive(isActive: boolean): void {
    const { logger } = this.#options;
    if (this.#isActive === isActive) return;
    this.#isActive = isActive;
    if (isActive) {
      logger.info("this broker is active");
      this.#active.resolve();
    } else if (!this.#wantsShutdown) logger.warn("this broker is fenced");
  }

  /** The first time that this broker's own registration is in force here. */
  #lookWhetherCaughtUp(): void {
    const { metadata, nodeId, prepare } = this.#options;
    if (this.#isPreparing || this.#closed.signal.aborted) return;
    if (metadata.image.brokers.get(nodeId)?.epoch !== this.#epoch) return;
    this.#isPreparing = true;
    this.#caughtUp.resolve();
    const prepared = prepare === undefined ? Promise.resolve() : prepare();
    prepared.then(() => {
      this.#isPrepared = true;
      this.#wake();
    }, (error: unknown) => {
      this.#options.onFailure(asError(error));
    });
  }

  /** Until the next heartbeat is due or there is something to tell. */
  async #pause(isEager: boolean): Promise<void> {
    const { clock, config, random } = this.#options;
    const intervalMs = config.get("broker.heartbeat.interval.ms");
    // Not all brokers at the same moment.
    const spreadMs = random.below(Math.max(1, Math.floor(intervalMs / 10)));
    const woken = new AbortController();
    this.#endPause = () => woken.abort(new Error("there is something to tell"));
    if (this.#hasNews || this.#closed.signal.aborted) this.#endPause();
    const delayMs = isEager ? Math.min(EAGER_MS, intervalMs) : intervalMs - spreadMs;
    await sleep(clock, delayMs, woken.signal).catch(() => {});
    this.#endPause = () => {};
  }

  /** Lets the next heartbeat be at once. */
  #wake(): void {
    this.#hasNews = true;
    this.#endPause();
  }
}
