/** A transaction coordinator on logs in memory, with markers that the test lets through. */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import { NO_CODECS } from "../../../core/compression/codec.ts";
import { ListLogger, ManualClock, MemoryLog, settle } from "../coordinator.test-helper.ts";
import type { MarkerResult, MarkerWriter, TxnMarker } from "./markers.ts";
import { TransactionCoordinator } from "./transaction-coordinator.ts";
import type { TxnPartitions } from "./transaction-records.ts";
import type { EndRequest, IdentityAnswer, ProducerIdentity } from "./transitions.ts";

/** Keeps the markers, and answers them as the test says. */
export class MarkerList implements MarkerWriter {
  readonly written: TxnMarker[] = [];
  /** What the next markers get. */
  error: ErrorCode = Errors.NONE;
  /** Markers wait while this is set. */
  held = false;
  #waiting: (() => void)[] = [];

  async write(marker: TxnMarker): Promise<readonly MarkerResult[]> {
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.written.push(marker);
    const error = this.error;
    return [...marker.partitions].flatMap(([topic, partitions]) =>
      [...partitions].map((partition) => ({ topic, partition, error }))
    );
  }

  release(): void {
    this.held = false;
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** Partitions as the coordinator takes them: `at("a", 0, 1)`. */
export function at(topic: string, ...partitions: number[]): TxnPartitions {
  return new Map([[topic, new Set(partitions)]]);
}

/** See the head of this file. One partition, so that every id is here. */
export class TransactionTest {
  readonly clock = new ManualClock();
  readonly logger = new ListLogger();
  readonly markers = new MarkerList();
  readonly log = new MemoryLog();
  coordinator: TransactionCoordinator;
  #nextProducerId = 100;
  #hosted = this.log;

  constructor() {
    this.coordinator = this.#start();
  }

  static async start(): Promise<TransactionTest> {
    const test = new TransactionTest();
    await test.clock.advance(0);
    return test;
  }

  /** As after a crash: only the log is left. */
  async restart(): Promise<void> {
    this.coordinator.close();
    const log = new MemoryLog();
    for (const batch of this.log.batches) log.append(batch);
    this.#hosted = log;
    this.log.batches = log.batches;
    this.coordinator = this.#start();
    await this.clock.advance(1);
  }

  #start(): TransactionCoordinator {
    const coordinator = new TransactionCoordinator({
      clock: this.clock,
      logger: this.logger,
      codecs: NO_CODECS,
      config: {
        maxTimeoutMs: 900_000,
        timeoutCheckIntervalMs: 10_000,
        expirationMs: 604_800_000,
        expirationCheckIntervalMs: 3_600_000,
        concurrentWaitMs: 100,
      },
      commitTimeoutMs: 5_000,
      topic: {
        partitionCount: () => 1,
        ensure: () => Promise.resolve(Errors.NONE),
        led: () => new Map([[0, this.#hosted]]),
        nodeId: 1,
        leader: () => 1,
      },
      markers: this.markers,
      nextProducerId: () => Promise.resolve({ ok: true, value: this.#nextProducerId++ }),
    });
    coordinator.follow();
    return coordinator;
  }

  init(
    id: string,
    expected: ProducerIdentity | null = null,
    timeoutMs = 60_000,
  ): Promise<IdentityAnswer> {
    return this.coordinator.initProducerId(id, { timeoutMs, expected });
  }

  add(id: string, producer: ProducerIdentity, partitions: TxnPartitions, clientVersion = 0) {
    return this.coordinator.addPartitions(id, producer, partitions, clientVersion);
  }

  async end(
    id: string,
    producer: ProducerIdentity,
    options: Partial<Pick<EndRequest, "commit" | "clientVersion">> = {},
  ): Promise<IdentityAnswer> {
    const { commit = true, clientVersion = 0 } = options;
    const { producerId, producerEpoch } = producer;
    const answer = await this.coordinator.endTransaction(id, {
      producerId,
      producerEpoch,
      commit,
      clientVersion,
    });
    await settle();
    return answer;
  }

  async state(id: string): Promise<string | undefined> {
    const outcome = await this.coordinator.describe(id);
    return outcome.ok ? outcome.value?.state : `error ${outcome.error}`;
  }
}
