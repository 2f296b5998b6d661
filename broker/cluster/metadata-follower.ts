/**
 * Follows the metadata as a broker that is not the controller: fetches the changes from it, one after
 * the other, and puts each in force as a whole; who is too far behind takes a snapshot (KIP-630). It
 * stays with what it has while there is no controller, or while that says what cannot be understood.
 */
import { asError } from "../../core/as-error.ts";
import type { ControllerElection, ElectedController } from "../../cluster/controller-election.ts";
import { decodeChangesSteps, decodeSnapshotSteps } from "../../cluster/metadata-batches.ts";
import { METADATA_LOG_ID } from "../../cluster/local-metadata-log.ts";
import { MetadataFormatError } from "../../cluster/metadata-records.ts";
import { assert } from "../../core/assert.ts";
import { type Connection, ConnectionError } from "../../core/connection.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { type Clock, type Random, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { fetchSnapshot } from "../../core/protocol/59-fetch-snapshot.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { inTurns } from "../../core/steps.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { SnapshotId } from "./metadata-source.ts";
import type { RecentChanges } from "./recent-changes.ts";

/** What it is built from. */
export interface MetadataFollowerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeId: number;
  readonly clusterId: string;
  readonly metadata: MetadataCache;
  readonly recent: RecentChanges;
  readonly election: Pick<ControllerElection, "controller" | "onChange">;
  /** A controller without news answers after so long. Default: 500. */
  readonly maxWaitMs?: number;
  /** A connection to the controller that nothing else waits for, an open one if there is one. */
  connect(controller: ElectedController, signal: AbortSignal): Promise<Connection>;
  /** An invariant is broken: what was put in force may have reached some of its listeners only. */
  onBug(error: Error): void;
}

const MAX_WAIT_MS = 500;
/** For an answer, beyond the wait. */
const TIMEOUT_MS = 4500;
/** The first part of a snapshot has to wait until all of it is made. */
const SNAPSHOT_TIMEOUT_MS = 60_000;
const PART_BYTES = 1024 * 1024;
const SNAPSHOT_BYTES_MAX = 1 << 30;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 1000;
/** That take about half a second. */
const FAILURES_UNSAID = 5;

type Partition = ResponseOf<typeof fetch>["responses"][number]["partitions"][number];

/** The controller has answered with an error. */
class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** See the head of the file. While it runs, nobody else publishes images. */
export class MetadataFollower {
  readonly #options: MetadataFollowerOptions;
  readonly #listeners = new Set<() => void>();
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  #isCaughtUp = false;
  /** Whether it was said that the controller sends what cannot be used. */
  #isStuck = false;

  constructor(options: MetadataFollowerOptions) {
    this.#options = options;
  }

  /** Where the image in force ends. */
  get position(): number {
    return this.#options.metadata.image.position;
  }

  /** Whether it had all that the controller had, when that was asked last. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /** Calls back whenever it has caught up after it was behind. Returns the function that ends it. */
  onCaughtUp(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins, or begins again after `stop` has resolved. */
  start(): void {
    assert(this.#running === null, "the metadata are followed once");
    const stop = new AbortController();
    this.#running = { stop, ended: this.#run(stop.signal) };
  }

  /** When it resolves, nothing more is published. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    running.stop.abort(new Error("the metadata are followed no more"));
    await running.ended;
    if (this.#running === running) this.#running = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { election, nodeId } = this.#options;
    this.#isCaughtUp = false;
    for (let failures = 0; !signal.aborted;) {
      const controller = election.controller;
      const round = this.#whileElected(controller, signal);
      try {
        if (controller === null || controller.nodeId === nodeId) await ended(round.signal);
        else if (await this.#follow(controller, round.signal)) failures = 0;
      } catch (error) {
        if (round.signal.aborted) continue;
        this.#report(controller, failures, error);
        await this.#pause(failures++, round.signal);
      } finally {
        round.end();
      }
    }
  }

  /** A signal that is aborted when somebody else is elected, and with `signal`. */
  #whileElected(controller: ElectedController | null, signal: AbortSignal) {
    const { election } = this.#options;
    const round = new AbortController();
    const stop = () => round.abort(signal.reason);
    const unsubscribe = election.onChange(() => {
      const now = election.controller;
      if (now !== null && now.term !== controller?.term) round.abort(new Error("another election"));
    });
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const end = () => {
      unsubscribe();
      signal.removeEventListener("abort", stop);
    };
    return { signal: round.signal, end };
  }

  async #pause(failures: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const rangeMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(failures, 10));
    await sleep(clock, rangeMs / 2 + random.below(rangeMs) / 2, signal).catch(() => {});
  }

  /** Says it once for all failures that follow one another; those of a change of office are none. */
  #report(controller: ElectedController | null, failures: number, error: unknown): void {
    const { logger, onBug } = this.#options;
    const isExpected = error instanceof RefusedError || error instanceof ConnectionError;
    const isFormat = error instanceof MetadataFormatError;
    if (!isExpected && !isFormat) {
      return onBug(asError(error));
    }
    if (isFormat ? this.#isStuck : failures !== FAILURES_UNSAID) return;
    this.#isStuck = isFormat;
    const { message: reason } = error;
    const fields = { controller: controller?.nodeId ?? -1, position: this.position, reason };
    if (isExpected) logger.warn("the metadata cannot be fetched from the controller", fields);
    else logger.error("the metadata of the controller cannot be used", fields);
  }

  /** One fetch, and what comes of it. */
  async #follow(controller: ElectedController, signal: AbortSignal): Promise<boolean> {
    const connection = await this.#options.connect(controller, signal);
    const answer = await this.#fetch(connection, controller, signal);
    if (signal.aborted) return false;
    if (answer.errorCode !== Errors.NONE) {
      this.#isCaughtUp = false;
      throw new RefusedError(`it answers ${errorName(answer.errorCode)}`);
    }
    const { endOffset, epoch } = answer.snapshotId;
    if (endOffset >= 0n) {
      this.#isCaughtUp = false;
      await this.#takeSnapshot(connection, controller, {
        endOffset: Number(endOffset),
        epoch,
      }, signal);
    } else if (answer.records !== null && answer.records.length > 0) {
      await this.#takeChanges(answer.records, signal);
    }
    this.#isStuck = false;
    this.#noteEnd(Number(answer.highWatermark));
    return true;
  }

  async #fetch(
    connection: Connection,
    controller: ElectedController,
    signal: AbortSignal,
  ): Promise<Partition> {
    const { nodeId, clusterId, maxWaitMs = MAX_WAIT_MS } = this.#options;
    const { topic, topicId, partition } = METADATA_LOG_ID;
    const response = await connection.request(fetch, {
      clusterId,
      replicaState: { replicaId: nodeId, replicaEpoch: -1n },
      maxWaitMs,
      minBytes: 1,
      maxBytes: PART_BYTES,
      topics: [{
        topic,
        topicId,
        partitions: [{
          partition,
          currentLeaderEpoch: controller.term,
          fetchOffset: BigInt(this.position),
          lastFetchedEpoch: 0,
          partitionMaxBytes: PART_BYTES,
        }],
      }],
      forgottenTopicsData: [],
    }, { timeoutMs: maxWaitMs + TIMEOUT_MS, signal });
    const answer = response.responses[0]?.partitions[0];
    if (response.errorCode !== Errors.NONE || answer === undefined) {
      throw new RefusedError(`it answers ${errorName(response.errorCode)}`);
    }
    return answer;
  }

  /** Each change is in force as a whole, or not at all. */
  async #takeChanges(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { clock, metadata, recent } = this.#options;
    for (const { position, records } of await inTurns(clock, decodeChangesSteps(bytes))) {
      const start = position - records.length;
      if (start !== this.position) {
        throw new MetadataFormatError(
          `it sent the change at ${start}, not that at ${this.position}`,
        );
      }
      const { image, delta } = await inTurns(clock, metadata.image.applySteps(records, position));
      if (signal.aborted) return;
      metadata.publish(image, delta);
      recent.note(records, position);
    }
  }

  async #takeSnapshot(
    connection: Connection,
    controller: ElectedController,
    id: SnapshotId,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, metadata, recent } = this.#options;
    const bytes = await this.#fetchSnapshot(connection, controller, id, signal);
    const { position, records } = await inTurns(clock, decodeSnapshotSteps(bytes));
    if (position !== id.endOffset || position <= this.position) {
      throw new MetadataFormatError(`it sent a snapshot of ${position} for one of ${id.endOffset}`);
    }
    if (signal.aborted) return;
    logger.info("taking a snapshot of the metadata", { from: this.position, to: position });
    await inTurns(clock, metadata.replaceSteps(records, position));
    recent.reset(position);
  }

  async #fetchSnapshot(
    connection: Connection,
    controller: ElectedController,
    id: SnapshotId,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { nodeId, clusterId } = this.#options;
    const { topic: name, partition } = METADATA_LOG_ID;
    const snapshotId = { endOffset: BigInt(id.endOffset), epoch: id.epoch };
    const parts: Uint8Array[] = [];
    for (let at = 0;;) {
      const position = BigInt(at);
      const response = await connection.request(fetchSnapshot, {
        clusterId,
        replicaId: nodeId,
        maxBytes: PART_BYTES,
        topics: [{
          name,
          partitions: [{ partition, currentLeaderEpoch: controller.term, snapshotId, position }],
        }],
      }, { timeoutMs: SNAPSHOT_TIMEOUT_MS, signal });
      const answer = response.topics[0]?.partitions[0];
      const error = response.errorCode === Errors.NONE ? answer?.errorCode : response.errorCode;
      if (answer === undefined || error !== Errors.NONE) {
        throw new RefusedError(`it answers ${errorName(error ?? Errors.UNKNOWN_SERVER_ERROR)}`);
      }
      const part = answer.unalignedRecords ?? new Uint8Array(0);
      at += part.length;
      const isSane = answer.size <= SNAPSHOT_BYTES_MAX && BigInt(at) <= answer.size;
      if (answer.position !== position || part.length === 0 || !isSane) {
        throw new MetadataFormatError(`it sent ${at} bytes of a snapshot of ${answer.size}`);
      }
      parts.push(part);
      if (BigInt(at) === answer.size) return new Uint8Array(Buffer.concat(parts));
    }
  }

  #noteEnd(end: number): void {
    const wasCaughtUp = this.#isCaughtUp;
    this.#isCaughtUp = this.position >= end;
    if (wasCaughtUp || !this.#isCaughtUp) return;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Rejects when the signal is aborted. */
function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
