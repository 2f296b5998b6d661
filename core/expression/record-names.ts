/** The names by which expressions see a record. */
import type { RecordScope } from "./record-scope.ts";

/** A part of the record. */
export interface RecordPart {
  /** The part, whatever the short form is that names it. */
  readonly name: string;
  readonly read: (scope: RecordScope) => unknown;
}

const key: RecordPart = { name: "key", read: (scope) => scope.key };
const value: RecordPart = { name: "value", read: (scope) => scope.value };
const headers: RecordPart = { name: "headers", read: (scope) => scope.headers };

/** All of them, with the short forms. */
export const RECORD_NAMES: ReadonlyMap<string, RecordPart> = new Map<string, RecordPart>([
  ["key", key],
  ["k", key],
  ["value", value],
  ["v", value],
  ["headers", headers],
  ["h", headers],
  ["headerList", { name: "headers", read: (scope) => scope.headerList }],
  ["keyText", { name: "key", read: (scope) => scope.keyText }],
  ["valueText", { name: "value", read: (scope) => scope.valueText }],
  ["topic", { name: "topic", read: (scope) => scope.topic }],
  ["partition", { name: "partition", read: (scope) => scope.partition }],
  ["offset", { name: "offset", read: (scope) => scope.offset }],
  ["timestamp", { name: "timestamp", read: (scope) => scope.timestamp }],
]);
