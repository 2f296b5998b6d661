/** Partitions as people write them: `orders:0-2,5`. */
import type { TopicPartitions } from "../../client/group-protocol.ts";

/** `0-2,5` for 2, 0, 1 and 5. */
export function formatNumbers(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && number <= run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => first === last ? String(first) : `${first}-${last}`).join(",");
}

/** `orders:0-2,5 audit:0`. */
export function formatPartitions(all: readonly TopicPartitions[]): string {
  return all.filter(({ partitions }) => partitions.length > 0)
    .map(({ topic, partitions }) => `${topic}:${formatNumbers(partitions)}`)
    .toSorted().join(" ");
}

/** No topic has more. */
const PARTITION_MAX = 1_000_000;

/** The numbers in `0-2,5`; null if it is no such list. */
export function parseNumbers(text: string): number[] | null {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part.trim());
    if (match === null) return null;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last > PARTITION_MAX) return null;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].toSorted((a, b) => a - b);
}

/** `orders` (partitions null: all of them) or `orders:0-2,5`; null if it is neither. */
export function parseTopicPartitions(
  text: string,
): { readonly topic: string; readonly partitions: readonly number[] | null } | null {
  const colon = text.indexOf(":");
  const topic = colon < 0 ? text : text.slice(0, colon);
  if (topic === "") return null;
  if (colon < 0) return { topic, partitions: null };
  const partitions = parseNumbers(text.slice(colon + 1));
  return partitions === null ? null : { topic, partitions };
}
