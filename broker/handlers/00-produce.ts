/**
 * Produce, versions 3 to 13; ApiVersions lists it from 0 on, because librdkafka refuses to compress
 * otherwise (KAFKA-18659).
 *
 * Checks, in this order, each for one partition only unless it says otherwise:
 * 1. acks is −1, 0 or 1, else INVALID_REQUIRED_ACKS for all;
 * 2. the topic is known (UNKNOWN_TOPIC_OR_PARTITION; by id UNKNOWN_TOPIC_ID, KIP-516) and the
 *    sender may write to it (TOPIC_AUTHORIZATION_FAILED);
 * 3. the partition comes once in the request, else INVALID_REQUEST for each time: Kafka keeps the
 *    last and drops the others without a word;
 * 4. clients do not write to internal topics (INVALID_TOPIC_EXCEPTION);
 * 5. there are records (INVALID_RECORD), not of a transaction, which is not served yet
 *    (INVALID_TXN_STATE), nor in zstd before version 7 (UNSUPPORTED_COMPRESSION_TYPE);
 * 6. this broker leads (NOT_LEADER_OR_FOLLOWER, with the leader in the response, KIP-951);
 * 7. what the log checks of a batch, its size and its producer (`storage/log-appender.ts`).
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
  compressionId,
  isTransactional,
  magic,
} from "../../core/records/batch-header.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { Partition } from "../partition.ts";
import type { RequestContext } from "../request-context.ts";
import { isInternalTopic } from "../topic-names.ts";

/** Serves the API; see the head of this file. */
export const produceHandler: Handler<typeof produce> = {
  api: produce,
  listedMinVersion: 0,
  pipelined: true,
  releasesFrame: true,
  authorize: { kind: "items", operations: ["WRITE TOPIC"] },
  handle(context, request, broker) {
    const run = new ProduceRun(context, request, broker);
    run.append();
    if (request.acks === 0) {
      if (run.firstError !== Errors.NONE) {
        context.closeConnection(`produce with acks=0 failed: ${errorName(run.firstError)}`);
      }
      return null;
    }
    return request.acks === -1 ? run.acknowledged() : run.response;
  },
  failure: (request, code) => ({
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => failed(index, code, null)),
    })),
  }),
};

/** The compression id of zstd in a batch's attributes. */
const ZSTD = 4;

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
}

/** The appends of one request. */
class ProduceRun {
  readonly response: EncodableResponse<typeof produce>;
  firstError: ErrorCode = Errors.NONE;
  readonly #context: RequestContext;
  readonly #request: RequestOf<typeof produce>;
  readonly #broker: Broker;
  readonly #responses: { name: string; topicId: string; partitionResponses: PartitionResponse[] }[];
  readonly #waits: Unacknowledged[] = [];
  readonly #byId: boolean;

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
  }

  /** Appends everything that passes the checks; all in one go, so that requests keep their order. */
  append(): void {
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
    await Promise.all(this.#waits.map(async ({ partition, endOffset, response }) => {
      const error = await partition.waitForOffset(endOffset, deadlineMs, signal);
      if (error !== Errors.NONE) response.errorCode = error;
    }));
    return this.response;
  }

  #checkTopic(topic: TopicData): ErrorCode {
    const { acks } = this.#request;
    if (acks !== -1 && acks !== 0 && acks !== 1) return Errors.INVALID_REQUIRED_ACKS;
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

  #appendOne(topic: TopicData, data: PartitionData): PartitionResponse {
    const { index, records } = data;
    const { partitions } = this.#broker;
    const found = this.#byId
      ? partitions.findById(topic.topicId, index)
      : partitions.find(topic.name, index);
    if (typeof found === "number") return failed(index, found, null);
    if (records === null || records.length === 0) {
      return failed(index, Errors.INVALID_RECORD, "There must be a record batch per partition.");
    }
    if (records.length >= BATCH_HEADER_BYTES && magic(records, 0) === BATCH_MAGIC) {
      if (isTransactional(records, 0)) {
        return failed(index, Errors.INVALID_TXN_STATE, "Transactions are not served yet.");
      }
      if (compressionId(records, 0) === ZSTD && this.#context.apiVersion < 7) {
        return failed(index, Errors.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs version 7 or later.");
      }
    }
    const result = found.append(records, "client");
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
        this.#waits.push({ partition: found, endOffset, response });
      }
      return response;
    }
    const response = failed(index, result.error, result.message);
    if (result.error === Errors.NOT_LEADER_OR_FOLLOWER) response.currentLeader = found.leadership;
    response.logStartOffset = logStartOffset;
    response.recordErrors = result.recordErrors.map(({ index, message }) => ({
      batchIndex: index,
      batchIndexErrorMessage: message,
    }));
    return response;
  }
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
