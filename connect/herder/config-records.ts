/**
 * The records of Connect's config topic (`KafkaConfigBackingStore`): keys are text, values JSON
 * without schemas, as its `JsonConverter` writes them.
 *
 *     connector-NAME          {"properties": {…}}                    null: the connector is deleted
 *     task-NAME-N             {"properties": {…}}                    counts from the commit on
 *     commit-NAME             {"tasks": n}                           all configs of its tasks are there
 *     target-state-NAME       {"state": "PAUSED", "state.v2": "STOPPED"}    null: it was deleted
 *     tasks-fencing-NAME      {"task-count": n}                      so many tasks may write from now on
 *     restart-connector-NAME  {"include-tasks": b, "only-failed": b}
 *     session-key             {"key": base64, "algorithm": "HmacSHA256", "creation-timestamp": ms}
 *     logger-cluster-NAME     {"level": "DEBUG"}
 */
import { z } from "zod";
import type { RawConfig } from "../config/parse.ts";
import { stringEntries } from "../config/string-map.ts";
import type { LogEntry, LogRecord } from "../log/record-log.ts";
import type { TargetState, TaskId } from "../worker/status.ts";

/** What signs requests between workers; `key` is shown to nobody. */
export interface SessionKey {
  readonly key: Uint8Array;
  readonly algorithm: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
}

/** Somebody wants a connector begun again (KIP-745). */
export interface RestartRequest {
  readonly connector: string;
  readonly includeTasks: boolean;
  readonly onlyFailed: boolean;
}

/** A record of the config topic. */
export type ConfigRecord =
  | { readonly type: "connector"; readonly name: string; readonly config: RawConfig | null }
  | { readonly type: "task"; readonly id: TaskId; readonly config: RawConfig }
  | { readonly type: "commit"; readonly name: string; readonly tasks: number }
  | { readonly type: "target"; readonly name: string; readonly state: TargetState | null }
  | { readonly type: "fencing"; readonly name: string; readonly tasks: number }
  | { readonly type: "restart"; readonly request: RestartRequest }
  | { readonly type: "session-key"; readonly key: SessionKey }
  | { readonly type: "logger"; readonly name: string; readonly level: string };

/** Java writes null where a value is null, and reads it. */
const properties = z.looseObject({ properties: z.unknown() });
const commit = z.looseObject({ tasks: z.int().min(0) });
const fencing = z.looseObject({ "task-count": z.int().min(0) });
const states = z.enum(["STARTED", "PAUSED", "STOPPED"]);
const target = z.looseObject({ state: z.string().optional(), "state.v2": z.unknown() });
const restart = z.looseObject({ "include-tasks": z.boolean(), "only-failed": z.boolean() });
const sessionKey = z.looseObject({
  key: z.base64(),
  algorithm: z.string(),
  "creation-timestamp": z.number(),
});
const logger = z.looseObject({ level: z.string() });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function json(key: string, value: unknown): LogEntry {
  return {
    key: encoder.encode(key),
    value: value === null ? null : encoder.encode(JSON.stringify(value)),
  };
}

/** As it is written. */
export function encodeConfigRecord(record: ConfigRecord): LogEntry {
  switch (record.type) {
    case "connector":
      return json(
        `connector-${record.name}`,
        record.config === null ? null : { properties: record.config },
      );
    case "task":
      return json(`task-${record.id.connector}-${record.id.task}`, { properties: record.config });
    case "commit":
      return json(`commit-${record.name}`, { tasks: record.tasks });
    case "target": {
      const { name, state } = record;
      // Workers of before KIP-875 know of no STOPPED and take it for PAUSED.
      const older = state === "STOPPED" ? "PAUSED" : state;
      return json(
        `target-state-${name}`,
        state === null ? null : { state: older, "state.v2": state },
      );
    }
    case "fencing":
      return json(`tasks-fencing-${record.name}`, { "task-count": record.tasks });
    case "restart": {
      const { connector, includeTasks, onlyFailed } = record.request;
      return json(`restart-connector-${connector}`, {
        "include-tasks": includeTasks,
        "only-failed": onlyFailed,
      });
    }
    case "session-key": {
      const { key, algorithm, createdMs } = record.key;
      return json("session-key", {
        key: key.toBase64(),
        algorithm,
        "creation-timestamp": createdMs,
      });
    }
    case "logger":
      return json(`logger-cluster-${record.name}`, { level: record.level });
    default:
      return record satisfies never;
  }
}

/** A record as it was written by a worker, ours or Java's; null: it is none that can be used. */
export function decodeConfigRecord({ key, value }: LogRecord): ConfigRecord | null {
  if (key === null) return null;
  const text = decoder.decode(key);
  let body: unknown = null;
  try {
    body = value === null ? null : JSON.parse(decoder.decode(value));
  } catch {
    return null;
  }
  try {
    return recordOf(text, body);
  } catch (error) {
    if (error instanceof z.ZodError) return null;
    throw error;
  }
}

/** Throws `ZodError` on what has another form. */
function recordOf(key: string, body: unknown): ConfigRecord | null {
  const name = (prefix: string) => key.startsWith(prefix) ? key.slice(prefix.length) : null;
  const targetOf = name("target-state-");
  if (targetOf !== null) {
    return { type: "target", name: targetOf, state: body === null ? null : targetState(body) };
  }
  const connector = name("connector-");
  if (connector !== null) {
    return { type: "connector", name: connector, config: body === null ? null : configOf(body) };
  }
  const task = name("task-");
  if (task !== null) {
    const id = parseTaskName(task);
    return id === null ? null : { type: "task", id, config: configOf(body) };
  }
  const committed = name("commit-");
  if (committed !== null) {
    return { type: "commit", name: committed, tasks: commit.parse(body).tasks };
  }
  const fenced = name("tasks-fencing-");
  if (fenced !== null) {
    return { type: "fencing", name: fenced, tasks: fencing.parse(body)["task-count"] };
  }
  return furtherRecordOf(key, body);
}

function furtherRecordOf(key: string, body: unknown): ConfigRecord | null {
  const name = (prefix: string) => key.startsWith(prefix) ? key.slice(prefix.length) : null;
  const restarted = name("restart-connector-");
  if (restarted !== null) {
    const request = restart.parse(body);
    const onlyFailed = request["only-failed"];
    const includeTasks = request["include-tasks"];
    return { type: "restart", request: { connector: restarted, includeTasks, onlyFailed } };
  }
  const logged = name("logger-cluster-");
  if (logged !== null) return { type: "logger", name: logged, level: logger.parse(body).level };
  if (key !== "session-key") return null;
  const found = sessionKey.parse(body);
  const { algorithm, "creation-timestamp": createdMs } = found;
  return {
    type: "session-key",
    key: { key: Uint8Array.fromBase64(found.key), algorithm, createdMs },
  };
}

function targetState(body: unknown): TargetState {
  const { state, "state.v2": newer } = target.parse(body);
  return states.parse(typeof newer === "string" ? newer : state);
}

/** Throws `ZodError` on what is no map of strings. (`z.record` would leave out a key `__proto__`.) */
function configOf(body: unknown): RawConfig {
  const entries = stringEntries(properties.parse(body).properties);
  if (entries === null) throw new z.ZodError([]);
  return Object.fromEntries(
    entries.flatMap(([key, value]) => value === null ? [] : [[key, value]]),
  );
}

/** `NAME-3`; names may have hyphens. */
export function parseTaskName(text: string): TaskId | null {
  const [, connector, task] = /^(.+)-(\d{1,9})$/.exec(text) ?? [];
  if (connector === undefined || task === undefined) return null;
  return { connector, task: Number(task) };
}
