/**
 * Offsets of a group from a file, as `group seek --to-file` takes them:
 *
 * - CSV without quotes: `topic,partition,offset`, or as Kafka's tools export several groups,
 *   `group,topic,partition,offset`, of which the lines of other groups don't count. Empty lines,
 *   lines that begin with `#` and a line of titles are skipped.
 * - JSON: what `group describe --json` and `group seek --json` print, or an array of
 *   `{"topic": "orders", "partition": 0, "offset": 42}`.
 */

/** An offset that the file wants. */
export interface WantedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** The file holds something else; the message says where and what. */
export class OffsetsFileError extends Error {
  override readonly name = "OffsetsFileError";
}

/** Parses the text for this group. Throws `OffsetsFileError`, also if there is nothing for it. */
export function parseOffsetsFile(text: string, group: string): WantedOffset[] {
  const offsets = /^\s*[[{]/.test(text) ? parseJson(text, group) : parseCsv(text, group);
  const seen = new Set<string>();
  for (const { topic, partition } of offsets) {
    const key = `${topic}:${partition}`;
    if (seen.has(key)) throw new OffsetsFileError(`it names ${key} twice`);
    seen.add(key);
  }
  if (offsets.length === 0) throw new OffsetsFileError(`it has no offsets for group "${group}"`);
  return offsets;
}

function parseCsv(text: string, group: string): WantedOffset[] {
  const offsets: WantedOffset[] = [];
  text.replace(/^\ufeff/, "").split("\n").forEach((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return;
    const fields = line.split(",").map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
    if (index === 0 && fields.at(-1)?.toLowerCase() === "offset") return;
    const [topic = "", partition = "", offset = ""] = fields.slice(-3);
    const isOffset = (fields.length === 3 || fields.length === 4) && topic !== "" &&
      /^\d{1,9}$/.test(partition) && isSafe(Number(offset)) && /^\d+$/.test(offset);
    if (!isOffset) {
      throw new OffsetsFileError(`line ${index + 1} is not topic,partition,offset`);
    }
    if (fields.length === 4 && fields[0] !== group) return;
    offsets.push({ topic, partition: Number(partition), offset: Number(offset) });
  });
  return offsets;
}

function parseJson(text: string, group: string): WantedOffset[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new OffsetsFileError(error instanceof Error ? error.message : String(error));
  }
  return itemsFor(document, group).flatMap((item) => wantedOffset(item) ?? []);
}

/** The partitions that the document lists for the group. */
function itemsFor(document: unknown, group: string): unknown[] {
  const groups: unknown[] = Array.isArray(document) ? document : [document];
  const named = groups.filter((each) => property(each, "group") !== undefined);
  if (named.length === 0) return groups;
  const own = named.filter((each) => property(each, "group") === group);
  // A file about one group may be meant for another, as for a copy of it.
  const chosen = own.length === 0 && named.length === 1 ? named : own;
  return chosen.flatMap((each) => {
    const partitions = property(each, "partitions");
    return Array.isArray(partitions) ? partitions : [];
  });
}

/** Null for a partition that has no offset. */
function wantedOffset(item: unknown): WantedOffset | null {
  const topic = property(item, "topic");
  const partition = property(item, "partition");
  const offset = ["offset", "newOffset", "committedOffset"].map((name) => property(item, name))
    .find((value) => value !== undefined);
  if (typeof topic === "string" && isSafe(partition) && (offset === null || isSafe(offset))) {
    return offset === null ? null : { topic, partition, offset };
  }
  throw new OffsetsFileError(
    `${JSON.stringify(item)?.slice(0, 100)} names no topic, partition ` +
      "and offset",
  );
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function isSafe(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
