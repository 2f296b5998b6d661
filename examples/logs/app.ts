/**
 * Logs of services. How many lines of each level there were is told at most once a second, however many
 * come; and of each service it is looked, every second, at the two seconds before: where too many of its
 * lines are errors an alert fires, once, and is resolved when they are few again.
 */
import {
  hopping,
  json,
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  string,
  TopologyBuilder,
  untilTimeLimit,
  untilWindowCloses,
} from "kstream/stream";

export const config = { "application.id": "logs" };

/** The key is the service. */
export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

/** What there was in a window. */
export interface Health {
  readonly lines: number;
  readonly errors: number;
}

export interface Alert extends Health {
  readonly state: "firing" | "resolved";
  /** The end of the window that says so. */
  readonly at: string;
}

/** An alert fires from so many errors on, where they are more than this share of all lines. */
const ERRORS_MIN = 5;
const SHARE_MAX = 0.2;

const builder = new TopologyBuilder();
const lines = builder.stream<string, Line>("logs");

lines.groupBy("lines-by-level", ({ level }) => level, { key: string() })
  .count("levels", { value: json<number>() })
  .suppress("levels-lately", untilTimeLimit({ ms: 1_000 }))
  .toStream()
  .to("log-levels");

builder.addStateStore("firing", { kind: "key-value", key: string(), value: json<boolean>() });

lines.groupByKey()
  .windowedBy(hopping({ sizeMs: 2_000, advanceMs: 1_000 }))
  .aggregate<Health>("health", () => ({ lines: 0, errors: 0 }), (health, { level }) => ({
    lines: health.lines + 1,
    errors: health.errors + (level === "error" ? 1 : 0),
  }))
  // Each window once, when it is final: what is half full says little.
  .suppress("final-health", untilWindowCloses())
  .toStream()
  .map((health, { key, window }) => [key, { ...health!, atMs: window.endMs }], { key: string() })
  .processValues(onChange, { stores: ["firing"] })
  .to("alerts");

/** Of what is looked at every second, gives on what is otherwise than before. */
function onChange(): Processor<string, Health & { readonly atMs: number }, string, Alert> {
  let context: ProcessorContext<string, Alert>;
  let firing: KeyValueStore<string, boolean>;
  return {
    init(given) {
      context = given;
      firing = given.store("firing") as typeof firing;
    },
    process(record) {
      const { lines, errors, atMs } = record.value;
      const isFiring = errors >= ERRORS_MIN && errors / lines > SHARE_MAX;
      if (isFiring === (firing.get(record.key) ?? false)) return;
      firing.put(record.key, isFiring);
      const state = isFiring ? "firing" : "resolved";
      const value: Alert = { state, lines, errors, at: new Date(atMs).toISOString() };
      context.forward({ ...record, value });
    },
  };
}

export default builder;
