/** The application that is killed, what it reads, and what it must have written in the end. */

export const PARTITIONS = 4;
export const APPLICATION_ID = "kill";
const WORDS = Array.from({ length: 97 }, (_, i) => `w${i.toString(2)}`);
/** Every so many records another two come, which are joined with one another. */
export const PAIR_EVERY = 10;
/** Records of two partitions may be so far apart that a pair is still found. */
const PAIR_GRACE_MS = 1_800_000;
export const WINDOW_MS = 1000;

export const OUTPUTS = ["totals", "windows", "joined", "pairs"] as const;
export const TOPICS = ["words", "names", "left", "right", ...OUTPUTS];

/**
 * Counts of all time, counts of seconds behind a repartition, a join with a table, and one of two streams
 * in windows.
 */
export const APP = `
import { safeLong, string, timeWindowed, TopologyBuilder, tumbling, within } from "kstream/stream";
export const config = { "application.id": "${APPLICATION_ID}", "statestore.cache.max.bytes": 0 };
const builder = new TopologyBuilder();
const words = builder.stream("words", { value: string() });
words.groupByKey().count("counts").toStream().to("totals", { value: safeLong() });
words.groupBy("by-length", (_value, key) => String(key.length))
  .windowedBy(tumbling({ sizeMs: ${WINDOW_MS}, graceMs: 7 * 86_400_000 }))
  .count("lengths")
  .toStream()
  .to("windows", { key: timeWindowed(string(), ${WINDOW_MS}), value: safeLong() });
const names = builder.table("names", "names", { value: string() });
words.joinTable(names, (value, name) => name + " " + value).to("joined", { value: string() });
const right = builder.stream("right", { value: string() });
const near = within({ beforeMs: 5, afterMs: 5, graceMs: ${PAIR_GRACE_MS} });
builder.stream("left", { value: string() })
  .join("both", right, near, (one, other) => one + " " + other, { result: string() })
  .to("pairs", { value: string() });
export default builder;
`;

/** A record that is written. */
export interface Written {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly timestampMs: number;
}

const encoder = new TextEncoder();

export function wordOf(index: number): string {
  return WORDS[index % WORDS.length]!;
}

export function nameOf(word: string): string {
  return word.toUpperCase();
}

/** How many records go by until a word comes again. */
export const WORD_COUNT = WORDS.length;

/** The table. */
export function nameRecords(): Written[] {
  return WORDS.map((word) => ({
    topic: "names",
    key: encoder.encode(word),
    value: encoder.encode(nameOf(word)),
    timestampMs: 1,
  }));
}

/** Record `index` of the words, and what comes with it. A millisecond lies between one and the next. */
export function recordsOf(index: number, beganMs: number): Written[] {
  const key = encoder.encode(wordOf(index));
  const value = encoder.encode(String(index));
  const timestampMs = beganMs + index;
  const word = { topic: "words", key, value, timestampMs };
  if (index % PAIR_EVERY !== 0) return [word];
  const other = { topic: "right", key, value, timestampMs: timestampMs + index % 7 - 3 };
  return [word, { ...word, topic: "left" }, other];
}
