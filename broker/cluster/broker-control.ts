/**
 * What a controller does about the cluster's brokers while it is in office: it registers them, hears their
 * heartbeats, fences who is silent, lets them stop, and takes their proposals of ISRs. Kafka's
 * `ClusterControlManager`, `BrokerHeartbeatManager` and parts of `ReplicationControlManager`.
 *
 * It knows nothing but the image and what it has heard itself, so that another controller can go on
 * anywhere. Each decision is taken in the controller's turn, on the image that it is written after.
 */
import { asError } from "../../core/as-error.ts";
import {
  isSameRegistration,
  planProposals,
  type ProposalOutcome,
  type ProposedPartition,
} from "../../cluster/controller/alter-partition.ts";
import { type ElectionContext, leadsAny } from "../../cluster/controller/broker-changes.ts";
import {
  type BrokerHeartbeat,
  BrokerSessions,
  type BrokerState,
} from "../../cluster/controller/broker-sessions.ts";
import {
  type AssignedReplica,
  planAssignments,
  planOfflineDirs,
} from "../../cluster/controller/directories.ts";
import {
  planElections,
  planRegistration,
  planStates,
  type Registration,
} from "../../cluster/controller/registration.ts";
import { isActive, type MetadataDelta, type MetadataImage } from "../../cluster/metadata-image.ts";
import type { MetadataRecord, RegisteredState } from "../../cluster/metadata-records.ts";
import { assert } from "../../core/assert.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { nextTurn, type Steps } from "../../core/steps.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import type { Controller } from "../controller.ts";
import { electionContext } from "../elections.ts";
import { newFeatures } from "../features.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { ProducerIdBlock } from "../metadata-changes.ts";
import { accept, type Outcome, refuse } from "../outcome.ts";
import type { PortProbe } from "./port-probe.ts";

/** What it is built from. */
export interface BrokerControlOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly clusterId: string;
  readonly controller: Controller;
  readonly metadata: MetadataCache;
  /** This node, whose earlier processes are gone for sure: its own is another one. */
  readonly nodeId: number;
  readonly incarnationId: string;
  /** Tells who is gone before its session is over. Default: nobody does. */
  readonly isRefused?: PortProbe;
  /** The name of the listener that brokers use among themselves, for `isRefused`. */
  readonly listener?: string;
  /**
   * Brokers are processes of one host with directories that they lock: whoever registers has outlived the
   * process that was registered before. Default: they may be two that were given the same id.
   */
  readonly areLocked?: boolean;
  /** An invariant is broken. */
  onBug(error: Error): void;
}

/** What a broker is answered to a heartbeat. */
export interface HeartbeatAnswer {
  readonly isCaughtUp: boolean;
  readonly isFenced: boolean;
  readonly shouldShutDown: boolean;
}

/** The least and the most between two looks at who is silent. */
const LOOK_MS_MIN = 10;
const LOOK_MS_MAX = 1000;
/** Who was controller has been silent for its lease; so much of a session that is taken for. */
const FORMER_SILENT = 2 / 3;
/** A timer that is so late tells that this process did not run. */
const STALL_MS = 250;

/** See the head of the file. */
export class BrokerControl {
  readonly #options: BrokerControlOptions;
  readonly #sessions: BrokerSessions;
  readonly #unsubscribe: () => void;
  /** What the last heartbeat of each broker came on. */
  readonly #connections = new Map<number, AbortSignal>();
  /** Why brokers were not registered when they asked last. */
  readonly #refusals = new Map<number, string>();
  #timer: Timer | null = null;
  #isClosed = false;
  /** Whether it was said already that fencing fails. */
  #isFencingStuck = false;

  /** The office begins with what the image says now. `former`: who had it before. `close` it. */
  constructor(options: BrokerControlOptions, former: number | null = null) {
    const { clock, config, metadata, nodeId, incarnationId } = options;
    this.#options = options;
    this.#sessions = new BrokerSessions(config.get("broker.session.timeout.ms"));
    const { image } = metadata;
    for (const broker of image.brokers.values()) {
      const silentMs = broker.brokerId === former
        ? this.#sessions.sessionTimeoutMs * FORMER_SILENT
        : 0;
      this.#sessions.inherit(broker, image.position, clock.monotonicMs() - silentMs);
      const isEarlierSelf = broker.brokerId === nodeId && broker.incarnationId !== incarnationId;
      if (isEarlierSelf) this.#sessions.end(nodeId);
    }
    this.#unsubscribe = metadata.onChange((delta, changed) => this.#follow(delta, changed));
    this.#inBackground(this.#elect());
    for (const { brokerId, state } of image.brokers.values()) {
      if (state !== "fenced") this.#inBackground(this.#lookWhetherGone(brokerId));
    }
    this.#lookLater();
  }

  /** Does nothing any more; changes under way may still end. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#timer?.cancel();
  }

  /** The broker's epoch; it is fenced until its heartbeats say that it has caught up. */
  async register(wanted: Registration): Promise<Outcome<number>> {
    const { clusterId, config, controller, clock, logger, areLocked = false } = this.#options;
    const isHeard = (id: number) => !areLocked && this.#sessions.isAlive(id, clock.monotonicMs());
    const [outcome] = await controller.change(1, function* ({ image }) {
      const firstFeatures = newFeatures(image);
      const policy = electionContext(image, config);
      const context = { ...policy, clusterId, isHeard, firstFeatures };
      const planned = yield* planRegistration(image, wanted, context);
      return planned.ok
        ? { records: planned.records, outcomes: [accept(planned.epoch)] }
        : { records: [], outcomes: [refuse(planned.error, planned.message)] };
    });
    assert(outcome !== undefined, "one outcome for one registration");
    const { brokerId: broker } = wanted;
    if (outcome.ok) logger.info("a broker has registered", { broker, epoch: outcome.value });
    else if (this.#refusals.get(broker) !== outcome.message) {
      // It asks again and again.
      logger.warn("a broker is not registered", { broker, reason: outcome.message });
    }
    if (outcome.ok) this.#refusals.delete(broker);
    else this.#refusals.set(broker, outcome.message);
    return outcome;
  }

  /** Answered when what it changes is in force here. `connection` is aborted when that ends. */
  async heartbeat(
    beat: BrokerHeartbeat,
    connection?: AbortSignal,
  ): Promise<Outcome<HeartbeatAnswer>> {
    const { clock, logger, metadata } = this.#options;
    const { brokerId, brokerEpoch } = beat;
    const outcome = this.#sessions.heartbeat(
      beat,
      () => leadsAny(metadata.image, brokerId),
      clock.monotonicMs(),
    );
    if (outcome === null) return this.#stale(brokerId);
    if (connection !== undefined) this.#watch(brokerId, connection);
    const { before, after, isCaughtUp } = outcome;
    const noted = await this.#noteFailedDirs(beat);
    if (!noted.ok) return noted;
    if (after !== before) {
      const state = registeredAs(after);
      const changed = await this.#change(({ image }) =>
        image.brokers.get(brokerId)?.epoch === brokerEpoch
          ? planStates(image, new Map([[brokerId, state]]), this.#policy(image))
          : null
      );
      if (!changed.ok) return changed;
      if (!changed.value) return this.#stale(brokerId);
      if (after === "stopped") this.#sessions.stopped(brokerId, brokerEpoch);
      logger.info(`a broker is ${after}`, { broker: brokerId });
    }
    return accept({
      isCaughtUp,
      isFenced: after === "fenced" || after === "stopped",
      shouldShutDown: after === "stopped",
    });
  }

  async #noteFailedDirs({ brokerId, brokerEpoch, offlineDirs }: BrokerHeartbeat) {
    const { logger, metadata } = this.#options;
    const broker = metadata.image.brokers.get(brokerId);
    const isNew = (id: string) => broker?.offlineDirs?.includes(id) !== true;
    if (!offlineDirs.some(isNew)) return accept(false);
    logger.warn("a data directory of a broker has failed", { broker: brokerId });
    return await this.#change(({ image }) =>
      image.brokers.get(brokerId)?.epoch === brokerEpoch
        ? planOfflineDirs(image, brokerId, offlineDirs)
        : null
    );
  }

  /** In which data directories replicas of the broker are, or that they are lost: an error for each. */
  async assignReplicas(
    brokerId: number,
    brokerEpoch: number,
    replicas: readonly AssignedReplica[],
  ): Promise<Outcome<readonly ErrorCode[]>> {
    const stale = this.#stale(brokerId);
    const policy = (image: MetadataImage) => this.#policy(image);
    const [outcome] = await this.#options.controller.change(1, function* ({ image }) {
      const known = image.brokers.get(brokerId)?.epoch;
      if (known !== brokerEpoch) return { records: [], outcomes: [stale] };
      const planned = yield* planAssignments(image, brokerId, replicas, policy(image));
      return { records: planned.records, outcomes: [accept(planned.errors)] };
    });
    assert(outcome !== undefined, "one outcome for one request");
    return outcome;
  }

  /** What becomes of each partition that the broker proposes an ISR for; all or none are written. */
  async alterPartitions(
    brokerId: number,
    brokerEpoch: number,
    proposals: readonly ProposedPartition[],
  ): Promise<Outcome<readonly ProposalOutcome[]>> {
    const [outcome] = await this.#options.controller.change(1, ({ image }) => {
      if (image.brokers.get(brokerId)?.epoch !== brokerEpoch) {
        return { records: [], outcomes: [this.#stale(brokerId)] };
      }
      const planned = planProposals(image, brokerId, proposals, {
        ...this.#policy(image),
        mayBeInIsr: (id, epoch) =>
          isActive(image, id) && isSameRegistration(epoch, image.brokers.get(id)?.epoch),
      });
      return { records: planned.flatMap(({ records }) => records), outcomes: [accept(planned)] };
    });
    assert(outcome !== undefined, "one outcome for one request");
    return outcome;
  }

  /** A block of producer ids for this broker. */
  allocateProducerIds(brokerId: number, brokerEpoch: number): Promise<Outcome<ProducerIdBlock>> {
    const { controller, metadata } = this.#options;
    return metadata.image.brokers.get(brokerId)?.epoch === brokerEpoch
      ? controller.allocateProducerIds(brokerId)
      : Promise.resolve(this.#stale(brokerId));
  }

  /** A broker has applied the metadata up to there, as its fetches of them tell before its heartbeats. */
  applied(brokerId: number, metadataOffset: number): void {
    if (metadataOffset > this.#options.metadata.image.position) return;
    this.#sessions.applied(brokerId, metadataOffset);
  }

  #watch(brokerId: number, connection: AbortSignal): void {
    if (this.#connections.get(brokerId) === connection) return;
    this.#connections.set(brokerId, connection);
    const onEnd = () => {
      if (this.#isClosed || this.#connections.get(brokerId) !== connection) return;
      this.#connections.delete(brokerId);
      this.#sessions.cutOff(brokerId);
      this.#inBackground(this.#lookWhetherGone(brokerId));
    };
    connection.addEventListener("abort", onEnd, { once: true });
    if (connection.aborted) onEnd();
  }

  /** Fences the broker at once if nobody listens at its address and it is not heard of meanwhile. */
  async #lookWhetherGone(brokerId: number): Promise<void> {
    const { isRefused, listener, logger, metadata } = this.#options;
    const broker = metadata.image.brokers.get(brokerId);
    const address = broker?.endpoints.find(({ name }) => name === listener);
    if (isRefused === undefined || broker === undefined || address === undefined) return;
    // Who was let go has nothing to lose.
    if (this.#sessions.stateOf(brokerId) === "stopped") return;
    if (!await isRefused(address) || this.#isClosed) return;
    if (this.#connections.has(brokerId)) return;
    if (this.#sessions.epochOf(brokerId) !== broker.epoch) return;
    logger.warn("a broker is gone: its port refuses connections", { broker: brokerId });
    this.#sessions.end(brokerId);
    this.#lookLater();
  }

  #policy(image: MetadataImage): ElectionContext {
    return electionContext(image, this.#options.config);
  }

  #stale(brokerId: number) {
    return refuse(
      Errors.STALE_BROKER_EPOCH,
      `Broker ${brokerId} is not registered with this epoch.`,
    );
  }

  #follow({ changedBrokers }: MetadataDelta, image: MetadataImage): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const id of changedBrokers) {
      const broker = image.brokers.get(id);
      if (broker === undefined) this.#sessions.unregister(id);
      else this.#sessions.follow(broker, image.position, nowMs);
    }
    if (changedBrokers.length > 0) this.#lookLater();
  }

  /** Whether the plan was wanted (`null`: no). */
  async #change(
    plan: (context: { readonly image: MetadataImage }) => Steps<MetadataRecord[]> | null,
  ): Promise<Outcome<boolean>> {
    const [outcome] = await this.#options.controller.change(1, function* (context) {
      const steps = plan(context);
      const records = steps === null ? [] : yield* steps;
      return { records, outcomes: [accept(steps !== null)] };
    });
    assert(outcome !== undefined, "one outcome for one change");
    return outcome;
  }

  async #elect(): Promise<void> {
    const outcome = await this.#change(({ image }) => planElections(image, this.#policy(image)));
    if (outcome.ok || outcome.error === Errors.NOT_CONTROLLER) return;
    this.#options.logger.warn("partitions without a leader were not looked after", {
      reason: outcome.message,
    });
  }

  /** Looks often enough to know how long this process itself did not run. */
  #lookLater(): void {
    const { clock } = this.#options;
    const { sessionTimeoutMs } = this.#sessions;
    this.#timer?.cancel();
    if (this.#isClosed) return;
    const often = Math.max(LOOK_MS_MIN, Math.min(LOOK_MS_MAX, sessionTimeoutMs / 4));
    const untilExpiryMs = (this.#sessions.nextExpiryMs() ?? Infinity) - clock.monotonicMs();
    // Where a session has expired and could not be ended, there is a pause before the next try.
    const leastMs = this.#isFencingStuck ? often : 0;
    const delayMs = Math.max(leastMs, Math.min(often, untilExpiryMs + 1));
    const dueMs = clock.monotonicMs() + delayMs;
    this.#timer = clock.setTimer(delayMs, () => {
      const lateMs = clock.monotonicMs() - dueMs;
      if (lateMs > STALL_MS) this.#sessions.forgive(lateMs);
      if (this.#sessions.expired(clock.monotonicMs()).length === 0) return this.#lookLater();
      this.#inBackground(this.#fence());
    });
  }

  async #fence(): Promise<void> {
    const { clock, logger } = this.#options;
    // Heartbeats that have arrived and were not read yet come first.
    await nextTurn(clock);
    let fenced: readonly number[] = [];
    const outcome = await this.#change(({ image }) => {
      fenced = this.#sessions.expired(clock.monotonicMs());
      const states = fenced.map((id): [number, RegisteredState] => [id, "fenced"]);
      return planStates(image, new Map(states), this.#policy(image));
    });
    for (const broker of outcome.ok ? fenced : []) {
      logger.warn("a broker is fenced: it is not heard of", { broker });
    }
    if (!outcome.ok && outcome.error !== Errors.NOT_CONTROLLER && !this.#isFencingStuck) {
      const { message: reason } = outcome;
      logger.warn("a silent broker cannot be fenced, it is tried again", { reason });
    }
    this.#isFencingStuck = !outcome.ok;
    this.#lookLater();
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#options.onBug(asError(error));
    });
  }
}

/** How the metadata say it. */
function registeredAs(state: BrokerState): RegisteredState {
  return state === "stopped" ? "fenced" : state;
}
