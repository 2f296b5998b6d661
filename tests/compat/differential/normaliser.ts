/**
 * Makes answers of two brokers comparable: what is random gets the name of what it stands for,
 * what is the broker's own (addresses, the clock) is left out, what has no order is sorted.
 */
import { errorName } from "../../../core/errors.ts";
import { ZERO_UUID } from "../../../core/protocol/schema.ts";
import {
  attributes,
  baseOffset,
  baseSequence,
  baseTimestamp,
  batchSizeBytes,
  crcMatches,
  isControl,
  isLogAppendTime,
  lastOffsetDelta,
  magic,
  maxTimestamp,
  producerEpoch,
  producerId,
  recordsCount,
} from "../../../core/records/batch-header.ts";
import { readControlRecord } from "../../../core/records/control-records.ts";
import type { Facts } from "./step.ts";

/** A value in comparable form. */
export type Plain = null | boolean | number | string | readonly Plain[] | PlainObject;
export interface PlainObject {
  readonly [name: string]: Plain;
}

/** Left out: what is each broker's own or of no meaning with one. */
const LEFT_OUT = new Set([
  "throttleTimeMs",
  "host",
  "port",
  "clusterId",
  "nodeEndpoints",
  "clientHost",
  "unknownTags",
]);
/** Sentences, noted apart. */
const SENTENCES = new Set(["errorMessage", "batchIndexErrorMessage"]);
/** Times of the broker's clock: whether there is one counts. */
const TIMES = new Set(["logAppendTimeMs", "transactionStartTimeMs", "lastTimestamp"]);
/** Timestamps of records this near to now are the broker's, under LogAppendTime. */
const HOUR_MS = 3_600_000;
const UUID_FIELD = /^(topicId|.*Uuid)$/;
const RANDOM_UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const MEMBER_UUID = /^[\w-]{22}$/;
const RECORD_FIELDS = new Set(["records"]);
const PID_FIELDS = new Set(["producerId", "ongoingTxnProducerId"]);
/** A record batch begins with 12 bytes before its length counts. */
const LOG_OVERHEAD_BYTES = 12;

/** The names that one broker's random values have in an episode. */
export class Normaliser {
  readonly #names = new Map<string, string>();

  constructor(readonly facts: Facts) {}

  /** The value in comparable form; its sentences are added to `messages`. */
  plain(value: unknown, messages: string[], name = ""): Plain {
    // A list that is not there says as much as an empty one; which it is Kafka's paths differ in.
    if (name === "abortedTransactions" && value === null) return [];
    if (value === null || value === undefined) return null;
    if (typeof value === "bigint") return this.#number(name, Number(value));
    if (typeof value === "number") return this.#number(name, value);
    if (typeof value === "boolean") return value;
    if (typeof value === "string") return this.#text(name, value);
    if (value instanceof Uint8Array) {
      return RECORD_FIELDS.has(name) ? this.#batches(value) : Buffer.from(value).toString("hex");
    }
    if (Array.isArray(value)) return this.#array(value, messages);
    if (typeof value !== "object") throw new TypeError(`an answer holds a ${typeof value}`);
    this.#learnIds(value);
    return Object.fromEntries(
      Object.entries(value).flatMap(([field, inner]: [string, unknown]) => {
        if (SENTENCES.has(field) && typeof inner === "string") messages.push(inner);
        if (SENTENCES.has(field) || LEFT_OUT.has(field)) return [];
        return [[field, this.plain(inner, messages, field)]];
      }),
    );
  }

  #array(value: readonly unknown[], messages: string[]): Plain {
    const items = value.filter((item: unknown) => this.#isOfEpisode(item))
      .map((item: unknown) => this.plain(item, messages));
    const keyed = items.map((item) => ({ item, key: JSON.stringify(item) }));
    keyed.sort((a, b) => a.key === b.key ? 0 : a.key < b.key ? -1 : 1);
    return keyed.map(({ item }) => item);
  }

  /** Transactional ids stay when their episode is over, and groups that still have members. */
  #isOfEpisode(item: unknown): boolean {
    if (typeof item !== "object" || item === null) return true;
    const isListedGroup = "groupState" in item && "protocolType" in item && !("members" in item);
    const id = "transactionalId" in item
      ? item.transactionalId
      : isListedGroup && "groupId" in item
      ? item.groupId
      : "";
    return typeof id !== "string" || id === "" || id.startsWith(this.facts.prefix);
  }

  #learnIds(value: object): void {
    const { name, topicName, topicId } = value as Record<string, unknown>;
    const known = typeof name === "string" ? name : topicName;
    if (typeof known !== "string" || typeof topicId !== "string" || known === "") return;
    if (topicId !== ZERO_UUID) this.facts.learnTopicId(known, topicId);
  }

  #number(name: string, value: number): Plain {
    if (/errorCode$/i.test(name)) return errorName(value);
    if (name === "timestamp" && Math.abs(value - Date.now()) < HOUR_MS) return "a time";
    if (TIMES.has(name)) return value < 0 ? value : "a time";
    if (name === "sessionId" && value !== 0) return this.#named("session", String(value));
    if (PID_FIELDS.has(name)) return value < 0 ? value : this.#named("producer", String(value));
    return value;
  }

  #text(name: string, value: string): Plain {
    if (UUID_FIELD.test(name) && value !== ZERO_UUID) {
      return `id of ${this.facts.nameOfTopicId(value) ?? "?"}`;
    }
    if (name === "memberId" && MEMBER_UUID.test(value)) return this.#named("member", value);
    return value.replaceAll(this.facts.prefix, "~")
      .replace(RANDOM_UUID, (id) => this.#named("uuid", id));
  }

  #named(kind: string, value: string): string {
    const known = this.#names.get(kind + value) ?? `${kind} ${this.#names.size}`;
    this.#names.set(kind + value, known);
    return known;
  }

  #batches(bytes: Uint8Array): Plain {
    const batches: Plain[] = [];
    let position = 0;
    while (position + LOG_OVERHEAD_BYTES <= bytes.length) {
      const sizeBytes = batchSizeBytes(bytes, position);
      if (position + sizeBytes > bytes.length) {
        batches.push("cut");
        break;
      }
      batches.push(this.#batch(bytes, position));
      position += sizeBytes;
    }
    return batches;
  }

  #batch(bytes: Uint8Array, position: number): Plain {
    const ofBroker = isControl(bytes, position) || isLogAppendTime(bytes, position);
    return {
      offset: baseOffset(bytes, position),
      last: lastOffsetDelta(bytes, position),
      magic: magic(bytes, position),
      crc: crcMatches(bytes, position),
      attributes: attributes(bytes, position),
      time: ofBroker ? "a time" : baseTimestamp(bytes, position),
      maxTime: ofBroker ? "a time" : maxTimestamp(bytes, position),
      producerId: this.#number("producerId", producerId(bytes, position)),
      producerEpoch: producerEpoch(bytes, position),
      sequence: baseSequence(bytes, position),
      count: recordsCount(bytes, position),
      control: isControl(bytes, position) ? readControlRecord(bytes, position).type : null,
    };
  }
}
