/**
 * Tells the controller of replicas whose data directory has failed, is full or is gone, so that others lead
 * them: by AssignReplicasToDirs, after Kafka's `AssignmentsManager`. Where all directories are well nothing
 * is sent: the metadata do not hold which replica is in which directory.
 */
import { FULL_DIR, LOST_DIR } from "../../cluster/controller/directories.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { groupBy } from "../../core/group-by.ts";
import { type Clock, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { assignReplicasToDirs } from "../../core/protocol/73-assign-replicas-to-dirs.ts";
import type { DataDirs } from "../../storage/data-dirs.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { PartitionSet } from "../partition-set.ts";
import type { Peers } from "./peers.ts";

/** What it is built from. */
export interface DirectoryReportsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: number;
  readonly metadata: MetadataCache;
  readonly dataDirs: DataDirs;
  readonly peers: Pick<Peers, "requestController">;
  /** Of this broker's registration. */
  brokerEpoch(): number;
}

interface Report {
  readonly directoryId: string;
  readonly topicId: string;
  readonly partition: number;
}

/** Replicas in one request; the controller takes no more than 2,000. */
const REPORTS_MAX = 1000;
const TIMEOUT_MS = 10_000;
/** Until it is looked again at what the controller has made of it; each time twice as long. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 4000;

/** See the head of the file. `close` it. */
export class DirectoryReports {
  readonly #options: DirectoryReportsOptions;
  readonly #closed = new AbortController();
  #partitions: PartitionSet | null = null;
  #unsubscribe = () => {};
  #reporting: Promise<void> | null = null;
  /** Whether a directory was not well at some time. */
  #hadTrouble = false;

  constructor(options: DirectoryReportsOptions) {
    this.#options = options;
  }

  /**
   * Says which replicas of this broker were in a directory that it does not have any more: those that it
   * has no log of. To be called before any log is opened. False if it is closed before that is done.
   */
  async reportLost(): Promise<boolean> {
    const { clock, logger, metadata, nodeId, dataDirs } = this.#options;
    const { image } = metadata;
    const { signal } = this.#closed;
    if ((image.brokers.get(nodeId)?.lostDirs ?? []).length === 0) return true;
    const known = new Map([...dataDirs.logs()].map((log) => [log.name, log.topicId]));
    const lost: Report[] = [];
    for (const topic of image.topics.values()) {
      for (const [partition, { replicas }] of topic.partitions.entries()) {
        const topicId = known.get(`${topic.name}-${partition}`);
        const isThere = topicId === topic.id || topicId === "";
        if (!replicas.includes(nodeId) || isThere) continue;
        lost.push({ directoryId: LOST_DIR, topicId: topic.id, partition });
      }
    }
    logger.warn("a data directory is gone: what was in it is fetched from others", {
      replicas: lost.length,
    });
    while (!signal.aborted && !await this.#tell(lost)) {
      await sleep(clock, RETRY_MS, signal).catch(() => {});
    }
    return !signal.aborted;
  }

  /** From now on what is in a directory that fails or is full is reported. */
  start(partitions: PartitionSet): void {
    this.#partitions = partitions;
    this.#unsubscribe = this.#options.metadata.onChange(() => this.look());
    this.look();
  }

  /** Looks whether there is something to report. */
  look(): void {
    const { dataDirs } = this.#options;
    this.#hadTrouble ||= dataDirs.all.some(({ failure, isFull }) => failure !== null || isFull);
    const isIdle = !this.#hadTrouble || this.#partitions === null;
    if (isIdle || this.#closed.signal.aborted) return;
    this.#reporting ??= this.#report().finally(() => this.#reporting = null);
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    this.#unsubscribe();
    await this.#reporting;
  }

  /** Until the metadata say all of it, or do not know yet that the directory has failed. */
  async #report(): Promise<void> {
    const { signal } = this.#closed;
    for (let pauseMs = RETRY_MS;; pauseMs = Math.min(RETRY_MS_MAX, pauseMs * 2)) {
      const reports = this.#unreported();
      if (reports.length === 0 || signal.aborted) return;
      await this.#tell(reports);
      await sleep(this.#options.clock, pauseMs, signal).catch(() => {});
    }
  }

  #unreported(): Report[] {
    const { dataDirs, metadata: { image }, nodeId } = this.#options;
    const known = image.brokers.get(nodeId)?.offlineDirs ?? [];
    const reports: Report[] = [];
    for (const { log, topicId, index } of this.#partitions?.opened() ?? []) {
      const state = image.topicsById.get(topicId)?.partitions[index];
      const dir = dataDirs.dirOf(log);
      if (dir === undefined || state?.replicas.includes(nodeId) !== true) continue;
      const { directoryId, failure, isFull } = dir;
      const isWell = failure === null && !isFull;
      if (isWell !== (state.offline?.includes(nodeId) === true)) continue;
      // It is said first that the directory has failed.
      if (failure !== null && !known.includes(directoryId)) continue;
      // Nobody else could lead.
      if (isFull && failure === null && state.replicas.length === 1) continue;
      const isReadOnly = isFull && failure === null;
      reports.push({
        directoryId: isReadOnly ? FULL_DIR : directoryId,
        topicId,
        partition: index,
      });
    }
    return reports;
  }

  /** Whether the controller has taken all of it. */
  async #tell(reports: readonly Report[]): Promise<boolean> {
    for (let at = 0; at < reports.length; at += REPORTS_MAX) {
      if (!await this.#send(reports.slice(at, at + REPORTS_MAX))) return false;
    }
    return true;
  }

  async #send(reports: readonly Report[]): Promise<boolean> {
    const { logger, nodeId, peers } = this.#options;
    try {
      const response = await peers.requestController(
        assignReplicasToDirs,
        {
          brokerId: nodeId,
          brokerEpoch: BigInt(this.#options.brokerEpoch()),
          directories: [...groupBy(reports, ({ directoryId }) => directoryId)].map((
            [id, some],
          ) => ({
            id,
            topics: [...groupBy(some, ({ topicId }) => topicId)].map(([topicId, list]) => ({
              topicId,
              partitions: list.map(({ partition }) => ({ partitionIndex: partition })),
            })),
          })),
        },
        ({ errorCode }) => errorCode === Errors.NOT_CONTROLLER,
        { timeoutMs: TIMEOUT_MS, signal: this.#closed.signal },
      );
      if (response.errorCode === Errors.NONE) return true;
      const reason = errorName(response.errorCode);
      logger.warn("the controller does not heed where replicas are", { reason });
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      if (this.#closed.signal.aborted) return false;
      logger.warn("the controller cannot be told where replicas are", { reason: error.message });
    }
    return false;
  }
}
