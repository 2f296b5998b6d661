/**
 * Keeps the state of share partitions at whoever coordinates them: here without a detour, else over the
 * network, again and again for a while, as coordinators move (Kafka's `DefaultStatePersister`).
 *
 * What is asked for one share partition on other brokers goes one after the other: a write that was sent
 * again must not come behind a later one, and put the start offset back.
 */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import { type Clock, sleep } from "../../../core/io.ts";
import type { RemotePersister } from "./remote-persister.ts";
import type { ShareCoordinator, SharePersister } from "./share-coordinator.ts";
import { type ShareKey, shareKeyString } from "./share-records.ts";
import {
  shareFailure,
  type ShareOutcome,
  type ShareRead,
  type ShareSummary,
  type ShareWrite,
} from "./share-shard.ts";

/** Between the first two tries; then ever longer. */
const RETRY_MS = 50;
const RETRY_MS_MAX = 500;

/** What it is made of. */
export interface PersisterRouterOptions {
  readonly clock: Clock;
  readonly nodeId: number;
  readonly local: Pick<ShareCoordinator, "closed" | "find" | "leaderOf" | keyof SharePersister>;
  readonly remote: Pick<RemotePersister, keyof SharePersister>;
  /** How long it tries. */
  readonly timeoutMs: () => number;
}

/** One question, to this broker's coordinator or another's. */
interface Question<T> {
  readonly here: () => Promise<T>;
  readonly there: (brokerId: number) => Promise<T>;
  /** The answer that says an error. */
  readonly failure: (error: ErrorCode) => T;
}

/** See the head of this file. */
export class PersisterRouter implements SharePersister {
  readonly #options: PersisterRouterOptions;
  /** The last question to another broker for each share partition. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(options: PersisterRouterOptions) {
    this.#options = options;
  }

  async initialize(key: ShareKey, stateEpoch: number, startOffset: number): Promise<ShareOutcome> {
    const { local, remote } = this.#options;
    // The first share group of a cluster comes here first; the others find the topic there.
    await local.find(key);
    return await this.#ask(key, {
      here: () => local.initialize(key, stateEpoch, startOffset),
      there: (brokerId) => remote.initialize(brokerId, key, stateEpoch, startOffset),
      failure: shareFailure,
    });
  }

  read(key: ShareKey, leaderEpoch: number): Promise<ShareRead> {
    const { local, remote } = this.#options;
    return this.#ask(key, {
      here: () => local.read(key, leaderEpoch),
      there: (brokerId) => remote.read(brokerId, key, leaderEpoch),
      failure: (error) => ({
        ...shareFailure(error),
        ...{ stateEpoch: 0, startOffset: 0, stateBatches: [] },
      }),
    });
  }

  write(key: ShareKey, write: ShareWrite): Promise<ShareOutcome> {
    const { local, remote } = this.#options;
    return this.#ask(key, {
      here: () => local.write(key, write),
      there: (brokerId) => remote.write(brokerId, key, write),
      failure: shareFailure,
    });
  }

  delete(key: ShareKey): Promise<ShareOutcome> {
    const { local, remote } = this.#options;
    return this.#ask(key, {
      here: () => local.delete(key),
      there: (brokerId) => remote.delete(brokerId, key),
      failure: shareFailure,
    });
  }

  summary(key: ShareKey): Promise<ShareSummary> {
    const { local, remote } = this.#options;
    return this.#ask(key, {
      here: () => local.summary(key),
      there: (brokerId) => remote.summary(brokerId, key),
      failure: (error) => ({
        ...shareFailure(error),
        ...{ stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 },
      }),
    });
  }

  #ask<T extends ShareOutcome>(key: ShareKey, question: Question<T>): Promise<T> {
    const { local, nodeId } = this.#options;
    const id = shareKeyString(key);
    const before = this.#tails.get(id);
    // At once, so that those of one caller keep their order.
    if (before === undefined && local.leaderOf(key) === nodeId) return question.here();
    const asked = before === undefined
      ? this.#untilAnswered(key, question)
      : before.then(() => this.#untilAnswered(key, question));
    this.#tails.set(id, asked);
    return asked.finally(() => {
      if (this.#tails.get(id) === asked) this.#tails.delete(id);
    });
  }

  async #untilAnswered<T extends ShareOutcome>(key: ShareKey, question: Question<T>): Promise<T> {
    const { clock, local, timeoutMs } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs();
    for (let delayMs = RETRY_MS;; delayMs = Math.min(2 * delayMs, RETRY_MS_MAX)) {
      const answer = await this.#once(key, question);
      if (answer === null) return question.failure(Errors.NOT_COORDINATOR);
      if (!isPassing(answer.errorCode)) return answer;
      if (local.closed || clock.monotonicMs() + delayMs > deadlineMs) {
        return answer.errorCode === Errors.NETWORK_EXCEPTION
          ? question.failure(Errors.COORDINATOR_NOT_AVAILABLE)
          : answer;
      }
      await sleep(clock, delayMs);
    }
  }

  /** Null where there is no state of any share partition. */
  async #once<T extends ShareOutcome>(key: ShareKey, question: Question<T>): Promise<T | null> {
    const { local, nodeId } = this.#options;
    const leader = local.leaderOf(key);
    if (leader === undefined) return null;
    if (leader < 0) return question.failure(Errors.COORDINATOR_NOT_AVAILABLE);
    return leader === nodeId ? await question.here() : await question.there(leader);
  }
}

/** Whether another try, perhaps at another broker, may end otherwise. */
function isPassing(error: ErrorCode): boolean {
  switch (error) {
    case Errors.NOT_COORDINATOR:
    case Errors.COORDINATOR_NOT_AVAILABLE:
    case Errors.COORDINATOR_LOAD_IN_PROGRESS:
    case Errors.NETWORK_EXCEPTION:
      return true;
    default:
      return false;
  }
}
