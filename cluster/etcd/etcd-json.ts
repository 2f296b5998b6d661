/**
 * What goes to etcd's JSON gateway and what comes back (etcd's `rpc.proto` as JSON: int64 as texts,
 * bytes in base64, what is zero left out).
 */
import type { EtcdCompare, EtcdEntry, EtcdFailure, EtcdOp, EtcdTxn } from "./etcd-store.ts";

/** An answer that is not as etcd's are. */
export class EtcdJsonError extends Error {
  override readonly name = "EtcdJsonError";
}

const base64 = (text: string) => Buffer.from(text, "latin1").toString("base64");

export function txnToJson(txn: EtcdTxn): object {
  return {
    compare: txn.compare.map(compareToJson),
    success: txn.then.map(opToJson),
    failure: txn.otherwise.map(opToJson),
  };
}

function compareToJson(compare: EtcdCompare): object {
  const key = base64(compare.key);
  switch (compare.target) {
    case "create":
      return {
        key,
        target: "CREATE",
        result: "EQUAL",
        create_revision: String(compare.revision),
      };
    case "mod":
      return { key, target: "MOD", result: "EQUAL", mod_revision: String(compare.revision) };
    case "absent": {
      const rangeEnd = base64(compare.rangeEnd);
      return { key, range_end: rangeEnd, target: "CREATE", result: "EQUAL", create_revision: "0" };
    }
  }
}

function opToJson(op: EtcdOp): object {
  const key = base64(op.key);
  switch (op.type) {
    case "put": {
      const value = Buffer.from(op.value.buffer, op.value.byteOffset, op.value.length);
      return { request_put: { key, value: value.toString("base64"), lease: op.lease } };
    }
    case "delete":
      return { request_delete_range: { key, range_end: rangeEndOf(op) } };
    case "range":
      return { request_range: { key, range_end: rangeEndOf(op), limit: op.limit } };
  }
}

function rangeEndOf(op: { rangeEnd?: string }): string | undefined {
  return op.rangeEnd === undefined ? undefined : base64(op.rangeEnd);
}

/** The fields of an object; none of anything else. */
export function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  );
}

/** An int64, 0 where it is left out. */
export function integerOf(fields: ReadonlyMap<string, unknown>, name: string): number {
  const value = Number(fields.get(name) ?? 0);
  if (Number.isSafeInteger(value)) return value;
  throw new EtcdJsonError(`etcd's answer has ${String(fields.get(name))} as ${name}`);
}

/** A text, "" where it is left out. */
export function textOf(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name) ?? "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function listOf(fields: ReadonlyMap<string, unknown>, name: string): readonly unknown[] {
  const value = fields.get(name);
  return Array.isArray(value) ? value : [];
}

/** A key with its value (`mvccpb.KeyValue`). */
export function entryOf(value: unknown): EtcdEntry {
  const fields = fieldsOf(value);
  return {
    key: Buffer.from(textOf(fields, "key"), "base64").toString("latin1"),
    value: new Uint8Array(Buffer.from(textOf(fields, "value"), "base64")),
    createRevision: integerOf(fields, "create_revision"),
    modRevision: integerOf(fields, "mod_revision"),
  };
}

/** The entries that each step of a transaction has found. */
export function resultsOf(answer: ReadonlyMap<string, unknown>): EtcdEntry[][] {
  return listOf(answer, "responses").map((response) => {
    const range = fieldsOf(fieldsOf(response).get("response_range"));
    return listOf(range, "kvs").map(entryOf);
  });
}

// Codes of gRPC.
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const REFUSALS: ReadonlySet<number> = new Set([
  3, // invalid argument, also a wrong password
  7, // permission denied
  9, // failed precondition, such as authentication that is not enabled
  12, // unimplemented
  16, // unauthenticated
]);
const UNAUTHENTICATED = 16;

/** Whether the token that the request carried has ended: it was not looked at, another may do. */
export function isTokenOver(answer: ReadonlyMap<string, unknown>): boolean {
  const message = messageOf(answer);
  return integerOf(answer, "code") === UNAUTHENTICATED || message.includes("invalid auth token") ||
    message.includes("revision of auth store is old");
}

/** What an answer with an error means. */
export function failureOf(answer: ReadonlyMap<string, unknown>, endpoint: string): EtcdFailure {
  const code = integerOf(answer, "code");
  const text = messageOf(answer);
  const message = `etcd at ${endpoint} says: ${text}`;
  if (code === NOT_FOUND && text.includes("lease")) return { kind: "no-lease", message };
  if (text.includes("larger than max")) return { kind: "too-large", message };
  if (code === RESOURCE_EXHAUSTED && text.includes("space exceeded")) {
    return {
      kind: "refused",
      message: `${message}; compact and defragment it, then disarm its alarm`,
    };
  }
  return { kind: REFUSALS.has(code) ? "refused" : "unavailable", message };
}

function messageOf(answer: ReadonlyMap<string, unknown>): string {
  return textOf(answer, "message") || textOf(answer, "error") || "nothing";
}
