/**
 * What must hold of a history of clients, given the logs as they are when all is well again. Every
 * function throws a `Violation`.
 */
import type {
  Append,
  OffsetEvent,
  PartitionKey,
  Reading,
  Sighting,
  TopicState,
  Transaction,
} from "./cluster-history.ts";
import { expect } from "./violation.ts";

/** All that a reader from the start gets of a partition in the end, by isolation. */
export type FinalLogs = ReadonlyMap<PartitionKey, readonly Sighting[]>;

/**
 * What was acknowledged is at its offset; nothing is there twice; what one writer has sent is in its
 * order.
 */
export function checkAppends(appends: readonly Append[], logs: FinalLogs): void {
  const places = new Map<string, { partition: PartitionKey; offset: number }>();
  for (const [partition, log] of logs) {
    for (const { offset, value } of log) {
      const other = places.get(value);
      expect(
        other === undefined,
        `${value} is at ${other?.partition}@${other?.offset} and at ${partition}@${offset}`,
      );
      places.set(value, { partition, offset });
    }
  }
  const last = new Map<string, { sequence: number; offset: number }>();
  for (const append of appends) {
    const { value, partition, writer, sequence } = append;
    const place = places.get(value);
    if (append.isAcknowledged) {
      expect(place !== undefined, `${value} was acknowledged at ${at(append)} and is lost`);
      const isThere = append.offset < 0 || place.offset === append.offset;
      expect(isThere, `${value} was acknowledged at ${at(append)} and is at ${place.offset}`);
    }
    if (place === undefined) continue;
    expect(place.partition === partition, `${value} is in ${place.partition}, not ${partition}`);
    const key = `${writer} ${partition}`;
    const before = last.get(key);
    expect(
      before === undefined || (before.sequence < sequence && before.offset < place.offset),
      `${value} is at ${partition}@${place.offset}, before what its writer has sent before it`,
    );
    last.set(key, { sequence, offset: place.offset });
  }
}

function at({ partition, offset }: Append): string {
  return `${partition}@${offset}`;
}

/** What a reader has seen is there for good, came in order, and nothing was left out. */
export function checkReadings(
  readings: readonly Reading[],
  uncommitted: FinalLogs,
  committed: FinalLogs,
): void {
  for (const { reader, partition, isolation, sightings } of readings) {
    const log = (isolation === "read_committed" ? committed : uncommitted).get(partition) ?? [];
    const indexes = new Map(log.map(({ offset }, index) => [offset, index]));
    let next = -1;
    for (const { offset, value } of sightings) {
      const index = indexes.get(offset);
      expect(
        index !== undefined,
        `${reader} has seen ${value} at ${partition}@${offset}, where nothing is`,
      );
      expect(
        log[index]!.value === value,
        `${reader} has seen ${value} at ${partition}@${offset}, where ${log[index]!.value} is`,
      );
      expect(
        next < 0 || index >= next,
        `${reader} has seen ${partition}@${offset} after a later offset`,
      );
      expect(
        next < 0 || index === next,
        `${reader} has passed over ${log[next]?.value} at ${partition}@${log[next]?.offset}`,
      );
      next = index + 1;
    }
  }
}

/** A transaction is there as a whole or not at all, as its producer was told. */
export function checkTransactions(
  transactions: readonly Transaction[],
  committed: FinalLogs,
): void {
  const present = new Set<string>();
  for (const [partition, log] of committed) {
    for (const { value } of log) present.add(`${partition} ${value}`);
  }
  for (const { id, values, outcome } of transactions) {
    const there = values.filter(({ partition, value }) => present.has(`${partition} ${value}`));
    const missing = values.length - there.length;
    switch (outcome) {
      case "committed":
        expect(missing === 0, `${missing} of ${values.length} records of ${id} are lost`);
        break;
      case "aborted":
        expect(there.length === 0, `${id} is aborted, and ${there[0]?.value} can be read`);
        break;
      case "unknown":
        expect(
          missing === 0 || there.length === 0,
          `${id} is there in part: ${there.length} of ${values.length} records`,
        );
    }
  }
}

/**
 * Committed offsets do not go back: whoever begins has at least what was acknowledged before it
 * asked, and so has the next commit that comes after an acknowledgement.
 */
export function checkOffsets(events: readonly OffsetEvent[]): void {
  const byPartition = new Map<PartitionKey, OffsetEvent[]>();
  for (const event of events) {
    const list = byPartition.get(event.partition) ?? [];
    byPartition.set(event.partition, list);
    list.push(event);
  }
  for (const [partition, list] of byPartition) {
    const bySending = list.toSorted((a, b) => a.sentMs - b.sentMs);
    const commits = list.filter(({ kind }) => kind === "committed")
      .toSorted((a, b) => a.answeredMs - b.answeredMs);
    let acknowledged = 0;
    let highest = -1;
    for (const { kind, offset, sentMs } of bySending) {
      while (acknowledged < commits.length && commits[acknowledged]!.answeredMs < sentMs) {
        highest = Math.max(highest, commits[acknowledged++]!.offset);
      }
      expect(
        offset >= highest,
        `${partition}@${offset} is what a member ${kind} after ${highest} was committed`,
      );
    }
  }
}

/** Every record below a committed offset has been handed out to a member. */
export function checkHandled(
  handled: ReadonlyMap<PartitionKey, ReadonlySet<number>>,
  committed: ReadonlyMap<PartitionKey, number>,
  logs: FinalLogs,
): void {
  for (const [partition, end] of committed) {
    for (const { offset, value } of logs.get(partition) ?? []) {
      if (offset >= end) continue;
      expect(
        handled.get(partition)?.has(offset) ?? false,
        `${value} at ${partition}@${offset} is below the committed ${end}, and no member had it`,
      );
    }
  }
}

/** Topics that were made are there, those that were deleted are not. */
export function checkTopics(
  known: ReadonlyMap<string, TopicState>,
  present: ReadonlySet<string>,
): void {
  for (const [name, state] of known) {
    expect(state !== "there" || present.has(name), `the topic ${name} was made and is lost`);
    expect(state !== "gone" || !present.has(name), `the topic ${name} was deleted and is there`);
  }
}
