/**
 * Produce, versions 3 to 13; ApiVersions lists it from 0 on, because librdkafka refuses to compress
 * otherwise (KAFKA-18659).
 *
 * Checks, in this order, each for one partition only unless it says otherwise:
 * 1. acks is −1, 0 or 1, else INVALID_REQUIRED_ACKS for all;
 *    Records of a transaction need WRITE on its id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED for
 *    all) and come from one producer (INVALID_PRODUCER_ID_MAPPING for all);
 * 2. the topic is known (UNKNOWN_TOPIC_OR_PARTITION; by id UNKNOWN_TOPIC_ID, KIP-516) and the
 *    sender may write to it (TOPIC_AUTHORIZATION_FAILED);
 * 3. the partition comes once in the request, else INVALID_REQUEST for each time: Kafka keeps the
 *    last and drops the others without a word;
 * 4. clients do not write to internal topics (INVALID_TOPIC_EXCEPTION);
 * 5. there are records (INVALID_RECORD), not in zstd before version 7
 *    (UNSUPPORTED_COMPRESSION_TYPE);
 * 6. this broker leads (NOT_LEADER_OR_FOLLOWER, with the leader and its address, KIP-951);
 * 7. a transaction that begins on the partition includes it, as its coordinator says: before
 *    version 12 INVALID_TXN_STATE, in 11 TRANSACTION_ABORTABLE; from 12 on it joins by itself
 *    (KIP-890), which may be CONCURRENT_TRANSACTIONS for a while;
 * 8. with acks=all enough replicas are in sync (NOT_ENOUGH_REPLICAS; once waiting
 *    NOT_ENOUGH_REPLICAS_AFTER_APPEND);
 * 9. what the log checks of a batch, its size and its producer (`storage/log-appender.ts`).
 *
 * acks=1 answers when the batch is appended, acks=all when the high watermark covers it or with
 * REQUEST_TIMED_OUT. acks=0 has no answer; an error closes the connection, as Kafka does.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchSizeBytes,
  compressionId,
  magic,
} from "../../core/records/batch-header.ts";
import { inFirstOrMoreTurns, type Steps } from "../../core/steps.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { LeaderHints } from "../leader-hints.ts";
import type { Partition, TransactionalAppend } from "../partition.ts";
import {
  isOfTransaction,
  ProduceTransaction,
  type TransactionalBatch,
} from "../produce-transaction.ts";
import type { ConnectionState, RequestContext } from "../request-context.ts";
import { isInternalTopic } from "../topic-names.ts";
import { TracedAppend } from "../tracing/traced-append.ts";

/** Serves the API; see the head of this file. */
export const produceHandler: Handler<typeof produce> = {
  api: produce,
  listedMinVersion: 0,
  pipelined: true,
  releasesFrame: true,
  authorize: { kind: "items", operations: ["WRITE TOPIC", "WRITE TRANSACTIONAL_ID"] },
  handle(context, request, broker) {
    const run = new ProduceRun(context, request, broker);
    const before = tails.get(context.connection);
    const asking = before === undefined ? run.ask() : before.then(() => run.ask());
    const appended = asking === null ? run.append() : asking.then(() => run.append());
    if (appended === null) return run.answer();
    const tail = appended.then(() => {}, () => {}).finally(() => {
      if (tails.get(context.connection) === tail) tails.delete(context.connection);
    });
    tails.set(context.connection, tail);
    return appended.then(() => run.answer());
  },
  topicsOf: (request) => request.topicData,
  failure: (request, code) => ({
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => failed(index, code, null)),
    })),
  }),
};

/**
 * Where a request has to ask a transaction's coordinator, or takes several turns of the event loop
 * because it makes the files of many partitions, those behind it on the connection wait with their
 * appends: batches of one producer have to stay in order.
 */
const tails = new WeakMap<ConnectionState, Promise<void>>();

/** The compression id of zstd in a batch's attributes. */
const ZSTD = 4;
/** None, the leader, all in-sync replicas. */
const ACKS: readonly number[] = [0, 1, -1];
/** With these Kafka does not say where the log starts (`ReplicaManager.appendToLocalLog`). */
const WITHOUT_LOG_START: readonly ErrorCode[] = [
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.MESSAGE_TOO_LARGE,
  Errors.RECORD_LIST_TOO_LARGE,
  Errors.CORRUPT_MESSAGE,
  Errors.KAFKA_STORAGE_ERROR,
];

type TopicData = RequestOf<typeof produce>["topicData"][number];
type PartitionData = TopicData["partitionData"][number];

/** One partition's response; mutable, because acks=all may still turn it into an error. */
interface PartitionResponse {
  index: number;
  errorCode: ErrorCode;
  baseOffset: bigint;
  logAppendTimeMs: bigint;
  logStartOffset: bigint;
  recordErrors?: readonly { batchIndex: number; batchIndexErrorMessage: string | null }[];
  errorMessage?: string | null;
  currentLeader?: { leaderId: number; leaderEpoch: number };
}

/** An append that acks=all has to wait for. */
interface Unacknowledged {
  readonly partition: Partition;
  readonly endOffset: number;
  readonly response: PartitionResponse;
  readonly traced: TracedAppend | null;
}

type ProduceResponse = EncodableResponse<typeof produce> & {
  nodeEndpoints?: EncodableResponse<typeof produce>["nodeEndpoints"];
};

/** The appends of one request. */
class ProduceRun {
  readonly response: ProduceResponse;
  firstError: ErrorCode = Errors.NONE;
  readonly #context: RequestContext;
  readonly #request: RequestOf<typeof produce>;
  readonly #broker: Broker;
  readonly #responses: { name: string; topicId: string; partitionResponses: PartitionResponse[] }[];
  readonly #waits: Unacknowledged[] = [];
  readonly #byId: boolean;
  #hints: LeaderHints | null = null;
  /** Null where no batch is of a transaction; why all is refused. */
  readonly #transaction: ProduceTransaction | ErrorCode | null;

  constructor(
    context: RequestContext,
    request: RequestOf<typeof produce>,
    broker: Broker,
  ) {
    this.#context = context;
    this.#request = request;
    this.#broker = broker;
    this.#byId = context.apiVersion >= 13;
    this.#responses = [];
    this.response = { responses: this.#responses };
    const batches = transactionalBatches(request);
    this.#transaction = batches.length === 0
      ? null
      : ProduceTransaction.of(context, broker.transactionGate, request.transactionalId, batches);
  }

  /** Asks the transaction's coordinator; null if nothing has to be asked. */
  ask(): Promise<void> | null {
    if (this.#transaction === null || typeof this.#transaction === "number") return null;
    const batches: TransactionalBatch[] = [];
    for (const topic of this.#request.topicData) {
      if (this.#checkTopic(topic) !== Errors.NONE) continue;
      for (const { index, records } of topic.partitionData) {
        const partition = this.#find(topic, index);
        if (typeof partition === "number" || !isOfTransaction(records)) continue;
        if (partition.checkLeader(-1) === Errors.NONE) batches.push({ partition, records });
      }
    }
    return this.#transaction.ask(batches);
  }

  /** The answer once everything is appended; null where the client wants none. */
  answer(): EncodableResponse<typeof produce> | null | Promise<EncodableResponse<typeof produce>> {
    const { acks } = this.#request;
    if (acks !== 0) return acks === -1 ? this.acknowledged() : this.response;
    if (this.firstError !== Errors.NONE) {
      this.#context.closeConnection(`produce with acks=0 failed: ${errorName(this.firstError)}`);
    }
    return null;
  }

  /** Appends everything that passes the checks; null if that is done. */
  append(): Promise<void> | null {
    return inFirstOrMoreTurns(this.#broker.io.clock, this.#appendSteps());
  }

  *#appendSteps(): Steps<void> {
    const twice = repeated(this.#request, this.#byId);
    for (const topic of this.#request.topicData) {
      const error = this.#checkTopic(topic);
      const partitionResponses: PartitionResponse[] = [];
      for (const data of topic.partitionData) {
        const isTwice = twice?.has(partitionKey(topic, data.index, this.#byId)) === true;
        const response = error !== Errors.NONE
          ? failed(data.index, error, null)
          : isTwice
          ? failed(data.index, Errors.INVALID_REQUEST, "The partition is named more than once.")
          : this.#appendOne(topic, data);
        if (this.firstError === Errors.NONE) this.firstError = response.errorCode;
        partitionResponses.push(response);
        yield;
      }
      this.#responses.push({ name: topic.name, topicId: topic.topicId, partitionResponses });
    }
  }

  /** The response when every append is acknowledged, at once where nothing has to be waited for. */
  acknowledged():
    | EncodableResponse<typeof produce>
    | Promise<EncodableResponse<typeof produce>> {
    return this.#waits.length === 0 ? this.response : this.#waitForAll();
  }

  async #waitForAll(): Promise<EncodableResponse<typeof produce>> {
    const timeoutMs = Math.max(0, this.#request.timeoutMs);
    const deadlineMs = this.#broker.io.clock.monotonicMs() + timeoutMs;
    const signal = this.#context.signal;
    await Promise.all(this.#waits.map(async ({ partition, endOffset, response, traced }) => {
      const error = await partition.waitForOffset(endOffset, deadlineMs, signal);
      traced?.end(error);
      if (error === Errors.NONE) return;
      response.errorCode = error;
      if (error === Errors.NOT_LEADER_OR_FOLLOWER) this.#hint(response, partition, partition);
    }));
    return this.response;
  }

  /** Says who leads, and where. */
  #hint(
    response: PartitionResponse,
    topic: { readonly name?: string; readonly topicId: string },
    partition: Partition | null,
  ): void {
    const { apiVersion } = this.#context;
    if (apiVersion < 10) return;
    const hints = this.#hints ??= new LeaderHints(this.#context, this.#broker);
    const topicId = this.#byId || topic.name === undefined
      ? topic.topicId
      : this.#broker.metadata.topic(topic.name)?.id;
    const leadership = hints.of(topicId, response.index, partition);
    if (leadership === null) return;
    response.currentLeader = leadership;
    this.response.nodeEndpoints = hints.nodeEndpoints;
  }

  #checkTopic(topic: TopicData): ErrorCode {
    if (typeof this.#transaction === "number") return this.#transaction;
    const { partitions } = this.#broker;
    const name = this.#byId ? partitions.topicName(topic.topicId) : topic.name;
    if (name === undefined) return Errors.UNKNOWN_TOPIC_ID;
    if (!this.#context.authorized("WRITE", "TOPIC", name)) {
      return Errors.TOPIC_AUTHORIZATION_FAILED;
    }
    // Tools repair internal topics through Kafka's admin client, which is known by this id.
    return isInternalTopic(name) && this.#context.clientId !== "__admin_client"
      ? Errors.INVALID_TOPIC_EXCEPTION
      : Errors.NONE;
  }

  #find(topic: TopicData, index: number): Partition | ErrorCode {
    const { partitions } = this.#broker;
    return this.#byId
      ? partitions.findById(topic.topicId, index)
      : partitions.find(topic.name, index);
  }

  #transactionOf(partition: Partition, records: Uint8Array): TransactionalAppend | ErrorCode {
    const transaction = this.#transaction;
    if (transaction === null || typeof transaction === "number") return {};
    return isOfTransaction(records) ? transaction.appendTo(partition) : {};
  }

  #appendOne(topic: TopicData, data: PartitionData): PartitionResponse {
    const { index, records } = data;
    const found = this.#find(topic, index);
    if (typeof found === "number") {
      const response = failed(index, found, null);
      if (found === Errors.NOT_LEADER_OR_FOLLOWER) this.#hint(response, topic, null);
      return response;
    }
    if (records === null || records.length === 0) {
      return failed(index, Errors.INVALID_RECORD, "There must be a record batch per partition.");
    }
    if (records.length >= BATCH_HEADER_BYTES && magic(records, 0) === BATCH_MAGIC) {
      if (compressionId(records, 0) === ZSTD && this.#context.apiVersion < 7) {
        return failed(index, Errors.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs version 7 or later.");
      }
    }
    if (!ACKS.includes(this.#request.acks)) {
      const isBatch = isWholeBatch(records);
      return failed(index, isBatch ? Errors.INVALID_REQUIRED_ACKS : Errors.INVALID_RECORD, null);
    }
    const transaction = this.#transactionOf(found, records);
    if (typeof transaction === "number") return failed(index, transaction, null);
    if (this.#request.acks === -1 && found.isLeader) {
      const error = found.checkInsync();
      if (error !== Errors.NONE) return failed(index, error, null);
    }
    const { tracing } = this.#broker;
    const startMs = tracing?.nowMs() ?? 0;
    const result = found.append(records, "client", transaction);
    const traced = tracing === null
      ? null
      : TracedAppend.of(tracing, this.#context, this.#request.acks, found, {
        bytes: records,
        startMs,
        result,
      });
    const logStartOffset = BigInt(found.logStartOffset);
    if (result.ok) {
      const response: PartitionResponse = {
        index,
        errorCode: Errors.NONE,
        baseOffset: BigInt(result.baseOffset),
        logAppendTimeMs: BigInt(result.logAppendTimeMs),
        logStartOffset,
      };
      const endOffset = result.lastOffset + 1;
      if (this.#request.acks === -1 && found.highWatermark < endOffset) {
        this.#waits.push({ partition: found, endOffset, response, traced });
      } else traced?.end(Errors.NONE);
      return response;
    }
    traced?.end(result.error);
    const response = failed(index, result.error, result.message);
    if (result.error === Errors.NOT_LEADER_OR_FOLLOWER) this.#hint(response, topic, found);
    const isBatch = isWholeBatch(records);
    if (isBatch && !WITHOUT_LOG_START.includes(result.error)) {
      response.logStartOffset = logStartOffset;
    }
    response.recordErrors = result.recordErrors.map(({ index, message }) => ({
      batchIndex: index,
      batchIndexErrorMessage: message,
    }));
    return response;
  }
}

/** Whether the bytes are one batch of the format that is served, whatever is in it. */
function isWholeBatch(bytes: Uint8Array): boolean {
  return bytes.length >= BATCH_HEADER_BYTES && magic(bytes, 0) === BATCH_MAGIC &&
    batchSizeBytes(bytes, 0) === bytes.length;
}

/** The batches of transactions in a request. */
function transactionalBatches(request: RequestOf<typeof produce>): Uint8Array[] {
  const batches: Uint8Array[] = [];
  for (const { partitionData } of request.topicData) {
    for (const { records } of partitionData) if (isOfTransaction(records)) batches.push(records);
  }
  return batches;
}

function failed(
  index: number,
  errorCode: ErrorCode,
  errorMessage: string | null,
): PartitionResponse {
  return {
    index,
    errorCode,
    baseOffset: -1n,
    logAppendTimeMs: -1n,
    logStartOffset: -1n,
    errorMessage,
  };
}

function partitionKey(topic: TopicData, index: number, byId: boolean): string {
  return `${byId ? topic.topicId : topic.name}:${index}`;
}

/** The partitions that a request names more than once; null for none, which is the rule. */
function repeated(request: RequestOf<typeof produce>, byId: boolean): Set<string> | null {
  const { topicData } = request;
  if (topicData.length === 1 && topicData[0].partitionData.length === 1) return null;
  const seen = new Set<string>();
  let twice: Set<string> | null = null;
  for (const topic of topicData) {
    for (const { index } of topic.partitionData) {
      const key = partitionKey(topic, index, byId);
      if (seen.has(key)) (twice ??= new Set()).add(key);
      else seen.add(key);
    }
  }
  return twice;
}
