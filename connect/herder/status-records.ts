/**
 * The records of Connect's status topic (`KafkaStatusBackingStore`): keys are text, values JSON.
 *
 *     status-connector-NAME                    {"state", "trace", "worker_id", "generation", "version"}
 *     status-task-NAME-N                       the same
 *     status-topic-TOPIC:connector-NAME        {"topic": {"name", "connector", "task", "discoverTimestamp"}}
 *
 * A null value says that there is none any more.
 */
import { z } from "zod";
import type { LogEntry, LogRecord } from "../log/record-log.ts";
import type { State, Status, TaskId } from "../worker/status.ts";
import { parseTaskName } from "./config-records.ts";

/** A status with what the topic says besides. */
export interface StatusEntry extends Status {
  /** Of the group, when it was written. */
  readonly generation: number;
  /** Of the connector's module; null: Java's workers of before 4.1 do not say. */
  readonly version: string | null;
}

/** A topic that a task has used (KIP-558). */
export interface TopicUse {
  readonly topic: string;
  readonly connector: string;
  readonly task: number;
  /** Milliseconds since 1970. */
  readonly discoveredMs: number;
}

/** A record of the status topic; null values are tombstones. */
export type StatusRecord =
  | { readonly type: "connector"; readonly name: string; readonly status: StatusEntry | null }
  | { readonly type: "task"; readonly id: TaskId; readonly status: StatusEntry | null }
  | {
    readonly type: "topic";
    readonly topic: string;
    readonly connector: string;
    readonly use: TopicUse | null;
  };

const STATES = [
  "UNASSIGNED",
  "RUNNING",
  "PAUSED",
  "STOPPED",
  "FAILED",
  "RESTARTING",
  "DESTROYED",
] as const satisfies readonly State[];

const status = z.looseObject({
  state: z.enum(STATES),
  trace: z.string().nullish(),
  worker_id: z.string(),
  generation: z.number(),
  version: z.string().nullish(),
});
const use = z.looseObject({
  topic: z.looseObject({
    name: z.string(),
    connector: z.string(),
    task: z.number(),
    discoverTimestamp: z.number(),
  }),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TOPIC_SEPARATOR = ":connector-";

/** As it is written. A status of `DESTROYED` is a tombstone. */
export function encodeStatusRecord(record: StatusRecord): LogEntry {
  switch (record.type) {
    case "connector":
      return { key: encoder.encode(`status-connector-${record.name}`), value: body(record.status) };
    case "task": {
      const { connector, task } = record.id;
      return {
        key: encoder.encode(`status-task-${connector}-${task}`),
        value: body(record.status),
      };
    }
    case "topic": {
      const { topic, connector } = record;
      const key = encoder.encode(`status-topic-${topic}${TOPIC_SEPARATOR}${connector}`);
      if (record.use === null) return { key, value: null };
      const { task, discoveredMs: discoverTimestamp } = record.use;
      const value = { topic: { name: topic, connector, task, discoverTimestamp } };
      return { key, value: encoder.encode(JSON.stringify(value)) };
    }
    default:
      return record satisfies never;
  }
}

function body(entry: StatusEntry | null): Uint8Array | null {
  if (entry === null || entry.state === "DESTROYED") return null;
  const { state, trace, workerId, generation, version } = entry;
  return encoder.encode(
    JSON.stringify({ state, trace, worker_id: workerId, generation, version }),
  );
}

/** A record as it was written by a worker, ours or Java's; null: it is none that can be used. */
export function decodeStatusRecord({ key, value }: LogRecord): StatusRecord | null {
  if (key === null) return null;
  const text = decoder.decode(key);
  try {
    return recordOf(text, value === null ? null : JSON.parse(decoder.decode(value)));
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return null;
    throw error;
  }
}

function recordOf(key: string, parsed: unknown): StatusRecord | null {
  const name = (prefix: string) => key.startsWith(prefix) ? key.slice(prefix.length) : null;
  const connector = name("status-connector-");
  if (connector !== null) {
    return { type: "connector", name: connector, status: statusOf(parsed) };
  }
  const task = name("status-task-");
  if (task !== null) {
    const id = parseTaskName(task);
    return id === null ? null : { type: "task", id, status: statusOf(parsed) };
  }
  const used = name("status-topic-");
  const at = used?.indexOf(TOPIC_SEPARATOR) ?? -1;
  if (used === null || at < 0) return null;
  const place = { topic: used.slice(0, at), connector: used.slice(at + TOPIC_SEPARATOR.length) };
  return { type: "topic", ...place, use: parsed === null ? null : useOf(parsed) };
}

function statusOf(parsed: unknown): StatusEntry | null {
  if (parsed === null) return null;
  const { state, trace = null, worker_id: workerId, generation, version = null } = status.parse(
    parsed,
  );
  return { state, trace, workerId, generation, version };
}

function useOf(parsed: unknown): TopicUse {
  const { name: topic, connector, task, discoverTimestamp: discoveredMs } = use.parse(parsed).topic;
  return { topic, connector, task, discoveredMs };
}
