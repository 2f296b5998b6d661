/**
 * A share session with one broker (KIP-932; Kafka's `ShareSessionHandler`): which partitions it
 * knows, the epoch that counts its requests, and what is to be said of records. One request at a
 * time, as the epochs demand.
 */
import { groupBy } from "../../core/group-by.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import { shareAcknowledge } from "../../core/protocol/79-share-acknowledge.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { KafkaError } from "../errors.ts";
import { Acknowledgements, type IdPartition } from "./acknowledgements.ts";

/** How a member fetches. */
export interface ShareFetchSettings {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxRecords: number;
  /** Never more than `maxRecords`, where the broker can (ShareFetch 2), else whole batches. */
  readonly strictMaxRecords: boolean;
}

/** What became of what was said of records of one partition. */
export interface AcknowledgeOutcome extends IdPartition {
  readonly offsets: readonly number[];
  readonly error: Error | null;
}

/** Who is asked. */
export interface ShareMember {
  readonly groupId: string;
  readonly memberId: string;
}

export type ShareFetchResponse = ResponseOf<typeof shareFetch>;

const FINAL_EPOCH = -1;
const LAST_EPOCH = 0x7fff_ffff;

/** See the head of the file. */
export class ShareSession {
  /** A request is under way. */
  isBusy = false;
  retryAtMs = 0;
  failures = 0;
  /** What is to be said; the next request takes it along. */
  pending = new Acknowledgements();
  /** Locks that are to be renewed, which only goes by itself. */
  renewals = new Acknowledgements();
  #epoch = 0;
  #known = new Map<string, IdPartition>();

  constructor(readonly nodeId: number, readonly member: ShareMember) {}

  get isOpen(): boolean {
    return this.#epoch !== 0;
  }

  /** The broker knows nothing of it any more, and has given the records to others. */
  forget(error: Error): AcknowledgeOutcome[] {
    this.#epoch = 0;
    this.#known.clear();
    const outcomes = [...outcomesOf(this.pending, error), ...outcomesOf(this.renewals, error)];
    this.pending = new Acknowledgements();
    this.renewals = new Acknowledgements();
    return outcomes;
  }

  /** Fetches from these partitions and says what is pending. Throws as connections do. */
  async fetch(
    connection: Connection,
    wanted: readonly IdPartition[],
    settings: ShareFetchSettings,
    timeoutMs: number,
    isMoot: () => boolean,
  ): Promise<{ response: ShareFetchResponse; outcomes: AcknowledgeOutcome[] }> {
    const said = this.#take();
    const added = wanted.filter((each) => !this.#known.has(keyOf(each)));
    const wantedKeys = new Set(wanted.map(keyOf));
    const dropped = [...this.#known.values()].filter((each) => !wantedKeys.has(keyOf(each)));
    const isNew = new Set(said.partitions().map(keyOf));
    const named = [...said.partitions(), ...added.filter((each) => !isNew.has(keyOf(each)))];
    try {
      const response = await connection.request(shareFetch, {
        ...this.member,
        shareSessionEpoch: this.#epoch,
        maxWaitMs: settings.maxWaitMs,
        minBytes: settings.minBytes,
        maxBytes: settings.maxBytes,
        maxRecords: settings.maxRecords,
        batchSize: settings.maxRecords,
        shareAcquireMode: settings.strictMaxRecords ? 1 : 0,
        topics: topicsOf(named, said),
        forgottenTopicsData: [...groupBy(dropped, ({ topicId }) => topicId)].map(
          ([topicId, list]) => ({ topicId, partitions: list.map(({ partition }) => partition) }),
        ),
      }, {
        timeoutMs: settings.maxWaitMs + timeoutMs,
        mayWaitMs: settings.maxWaitMs,
        isMoot,
      });
      this.#answered(response.errorCode, response.errorMessage);
      for (const each of added) this.#known.set(keyOf(each), each);
      for (const each of dropped) this.#known.delete(keyOf(each));
      return { response, outcomes: this.#judge(said, response, "acknowledgeErrorCode") };
    } catch (error) {
      this.#putBack(said);
      throw error;
    }
  }

  /** Says what is pending, or renews. Throws as connections do. */
  async acknowledge(connection: Connection, timeoutMs: number): Promise<AcknowledgeOutcome[]> {
    const isRenewAck = this.pending.isEmpty;
    const said = isRenewAck ? this.renewals : this.#take();
    if (isRenewAck) this.renewals = new Acknowledgements();
    try {
      return await this.#say(connection, said, this.#epoch, { timeoutMs, isRenewAck });
    } catch (error) {
      this.#putBack(said);
      throw error;
    }
  }

  /** Says what is pending and ends the session; what else this member has goes to others. */
  async close(connection: Connection, timeoutMs: number): Promise<AcknowledgeOutcome[]> {
    if (!this.isOpen) return [];
    const said = this.#take();
    return await this.#say(connection, said, FINAL_EPOCH, { timeoutMs, isRenewAck: false });
  }

  async #say(
    connection: Connection,
    said: Acknowledgements,
    epoch: number,
    { timeoutMs, isRenewAck }: { timeoutMs: number; isRenewAck: boolean },
  ): Promise<AcknowledgeOutcome[]> {
    const response = await connection.request(shareAcknowledge, {
      ...this.member,
      shareSessionEpoch: epoch,
      ...(isRenewAck ? { isRenewAck } : {}),
      topics: topicsOf(said.partitions(), said),
    }, { timeoutMs });
    this.#answered(response.errorCode, response.errorMessage);
    return this.#judge(said, response, "errorCode");
  }

  #take(): Acknowledgements {
    const said = this.pending;
    this.pending = new Acknowledgements();
    return said;
  }

  /** For `forget`, which follows a failure, to tell of. */
  #putBack(said: Acknowledgements): void {
    if (this.pending.isEmpty) this.pending = said;
    else {for (const { offsets, ...at } of said.partitions()) {
        for (const offset of offsets) this.pending.set(at, offset, "release");
      }}
  }

  #answered(code: number, detail: string | null): void {
    if (code !== Errors.NONE) {
      throw new KafkaError(code, `share session with broker ${this.nodeId}`, detail);
    }
    this.#epoch = this.#epoch === LAST_EPOCH ? 1 : this.#epoch + 1;
  }

  #judge<F extends "acknowledgeErrorCode" | "errorCode">(
    said: Acknowledgements,
    response: {
      readonly responses: readonly {
        readonly topicId: string;
        readonly partitions: readonly ({ readonly partitionIndex: number } & Record<F, number>)[];
      }[];
    },
    field: F,
  ): AcknowledgeOutcome[] {
    const codes = new Map<string, number>();
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        codes.set(`${topicId}/${answer.partitionIndex}`, answer[field]);
      }
    }
    return said.partitions().map((each) => {
      const code = codes.get(keyOf(each)) ?? Errors.NONE;
      const error = code === Errors.NONE ? null : new KafkaError(code, "acknowledge records");
      return { ...each, error };
    });
  }
}

function keyOf({ topicId, partition }: IdPartition): string {
  return `${topicId}/${partition}`;
}

function outcomesOf(said: Acknowledgements, error: Error): AcknowledgeOutcome[] {
  return said.partitions().map((each) => ({ ...each, error }));
}

function topicsOf(partitions: readonly IdPartition[], said: Acknowledgements) {
  return [...groupBy(partitions, ({ topicId }) => topicId)].map(([topicId, list]) => ({
    topicId,
    partitions: list.map((each) => ({
      partitionIndex: each.partition,
      acknowledgementBatches: said.batches(each),
    })),
  }));
}
