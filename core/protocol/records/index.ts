/** Messages that are no requests or responses: records of internal topics, and what they carry. */
import type { CoordinatorRecord, Message } from "../schema.ts";
import * as consumerGroupRecords from "./consumer-group-records.ts";
import * as consumerProtocol from "./consumer-protocol.ts";
import * as controlRecords from "./control-records.ts";
import * as offsetAndGroupRecords from "./offset-and-group-records.ts";
import * as principal from "./principal.ts";
import * as shareGroupRecords from "./share-group-records.ts";
import * as shareStateRecords from "./share-state-records.ts";
import * as streamsGroupRecords from "./streams-group-records.ts";
import * as transactionRecords from "./transaction-records.ts";

function byType(modules: readonly Readonly<Record<string, CoordinatorRecord>>[]) {
  const records = modules.flatMap((module) => Object.values(module));
  return new Map(records.map((record) => [record.type, record]));
}

/** Records of `__consumer_offsets` by the int16 type at the beginning of their keys. */
export const groupRecordByType: ReadonlyMap<number, CoordinatorRecord> = byType([
  offsetAndGroupRecords,
  consumerGroupRecords,
  shareGroupRecords,
  streamsGroupRecords,
]);

/** Records of `__transaction_state` by type. */
export const transactionRecordByType: ReadonlyMap<number, CoordinatorRecord> = byType([
  transactionRecords,
]);

/** Records of `__share_group_state` by type. */
export const shareRecordByType: ReadonlyMap<number, CoordinatorRecord> = byType([
  shareStateRecords,
]);

/** Messages inside other messages and records. */
export const embeddedMessages: readonly Message[] = [
  ...Object.values<Message>(consumerProtocol),
  ...Object.values<Message>(controlRecords),
  ...Object.values<Message>(principal),
];
