/** Records made up by a template: for trying things out, for load, for tests. */
import { defineSource, double, FieldError, int, long, string } from "../../index.ts";
import type { PartialSourceRecord } from "../../index.ts";
import { compileTemplate, GENERATOR_USAGE } from "./template.ts";

const TEMPLATE = '{"id":"{{sequence}}","user":"user-{{int 1 1000}}","total":"{{double 1 500 2}}",' +
  '"country":"{{choice DE FR TR US}}","paid":"{{boolean 0.9}}"}';
/** The pause between looks at what is due, at most. */
const PAUSE_MS_MAX = 1000;

function checkTemplate(text: string): string | null {
  try {
    compileTemplate(text);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

export default defineSource({
  name: "datagen",
  version: "1.0.0",
  doc:
    "Makes up records by a template, at a rate. The same seed makes the same records, and after a " +
    "restart it goes on behind the last one that was stored, so with exactly.once.support each is " +
    "there once.",
  delivery: "exactly-once",
  example: {
    topic: "orders",
    key: "{{sequence}}",
    rate: "100",
  },
  config: {
    topic: string().importance("HIGH").doc("The topic that records are written to."),
    template: string().default(TEMPLATE).importance("HIGH").check(checkTemplate).doc(
      `The value as JSON. Texts hold generators between {{ and }}: ${GENERATOR_USAGE}. A text that ` +
        "is nothing but one generator becomes its number or boolean.",
    ),
    key: string().optional().check((text) => text === null ? null : checkTemplate(text)).doc(
      "The key, a template as well; without it records have none.",
    ).example("{{sequence}}"),
    rate: double({ min: 0 }).default(10).doc("Records per second; 0 is as fast as they are taken."),
    count: long({ min: 1 }).optional().doc("How many records there are in all; then it is done."),
    seed: int().default(1).doc("Another seed makes other records."),
    "batch.size": int({ min: 1, max: 100_000 }).default(500).doc(
      "How many records are made at a time, at most.",
    ),
  },
  async *read({ config, clock, offsets, signal }) {
    const { topic, rate, seed } = config;
    const value = compileTemplate(config.template);
    const key = config.key === null ? null : compileTemplate(config.key);
    const end = config.count ?? Infinity;
    const sourcePartition = { generator: topic };
    const first = Number((await offsets.get(sourcePartition))?.["number"] ?? 0);
    const startMs = clock.monotonicMs();
    for (let next = first; next < end && !signal.aborted;) {
      const passedMs = clock.monotonicMs() - startMs;
      const due = rate === 0 ? Infinity : first + Math.floor(passedMs / 1000 * rate) + 1;
      const until = Math.min(end, next + config["batch.size"], due);
      const nowMs = clock.wallMs();
      const batch: PartialSourceRecord[] = [];
      for (; next < until; next++) {
        batch.push({
          topic,
          // Draws of its own: with those of the value, key and first field would go together.
          key: key === null ? null : key(next, nowMs, ~seed),
          value: value(next, nowMs, seed),
          timestampMs: nowMs,
          sourcePartition,
          sourceOffset: { number: next + 1 },
        });
      }
      if (batch.length > 0) yield batch;
      if (next < due) continue;
      // One per hour is due in an hour; until then it is looked now and then, as clocks go wrong.
      const nextMs = (next - first) * 1000 / rate - (clock.monotonicMs() - startMs);
      await clock.sleep(Math.min(PAUSE_MS_MAX, Math.max(1, nextMs)), signal);
    }
  },
  checkOffsets(positions) {
    for (const { partition, offset } of positions) {
      if (typeof partition["generator"] !== "string") {
        throw new Error('a partition of datagen is {"generator": TOPIC}');
      }
      const number = offset?.["number"];
      if (offset !== null && (!Number.isSafeInteger(number) || Number(number) < 0)) {
        throw new Error('an offset of datagen is {"number": RECORDS}, a whole number from 0');
      }
    }
  },
});
