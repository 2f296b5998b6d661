/** What the scenario knows of a connector and of the system that it connects. */
import type { TopicRecord } from "./topics.ts";

/** One record of the scenario: the `n`th of its key. */
export interface Item {
  readonly key: string;
  readonly n: number;
  /** Where it was found, if that is known. */
  readonly at?: string;
}

/** What a connector says of its records, as its `delivery` and `doc` have it. */
export type Claim = "at-most-once" | "at-least-once" | "exactly-once";

interface System {
  readonly claim: Claim;
  /** Of the connector: all but its name and topics. */
  readonly config: Readonly<Record<string, string>>;
  /** What is put over it while it runs, and taken away again. */
  readonly otherConfig: Readonly<Record<string, string>>;
  /** Whether records of a key come in their order; default true. */
  readonly isOrdered?: boolean;
  /** Null: it cannot go away, as a folder cannot. */
  readonly outage: Outage | null;
  /** Has it take long for everything until `false`; null: it cannot. */
  readonly setSlow: ((isSlow: boolean) => void) | null;
  close(): Promise<void>;
}

/** The system as something that goes away without a word and comes back. */
export interface Outage {
  down(): Promise<void>;
  up(): Promise<void>;
}

/** What a source reads of. */
export interface SourceSystem extends System {
  readonly kind: "source";
  /** Where its records go, if its config has no `topic` for it. */
  readonly topic?: string;
  /** Resolves when the system has all of them, whatever happens meanwhile. */
  feed(items: readonly Item[]): Promise<void>;
  /** Feeds something that is no record; null: there is no such thing. */
  readonly feedBad: (() => Promise<void>) | null;
  /** What records of the topic say has come, in their order. */
  itemsOf(records: readonly TopicRecord[]): Item[];
}

/** What a sink writes to. */
export interface SinkSystem extends System {
  readonly kind: "sink";
  /** What is there, of each key in the order in which it came; as often as it is there. */
  read(): Promise<Item[]>;
  /** So many records more have to come into a partition before what was before them is there. */
  readonly fillers?: number;
}

/** Where a system is made. */
export interface Place {
  /** An empty folder. */
  readonly folder: string;
}

/** A kind of system, with the connector for it. */
export interface SystemKind {
  /** As `--only` has it: the connector's name, and how it is used. */
  readonly name: string;
  /** Null if everything is there; else what is missing. */
  need(): Promise<string | null>;
  open(place: Place): Promise<SourceSystem | SinkSystem>;
}

/** Key of records that are no items but have others come. */
export const FILLER = "filler";

/** Of records whose values are items each, or what `parse` makes items of. */
export function valueItems(
  parse: (value: string) => Item | null = itemOf,
): (records: readonly TopicRecord[]) => Item[] {
  const decoder = new TextDecoder();
  return (records) =>
    records.flatMap(({ value, at }) => {
      const item = value === null ? null : parse(decoder.decode(value));
      return item === null ? [] : { ...item, at };
    });
}

export function textOf(item: Item): string {
  return JSON.stringify(item);
}

/** Null: it is no item. */
export function itemOf(text: string): Item | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null || !("key" in parsed) || !("n" in parsed)) {
    return null;
  }
  const { key, n } = parsed;
  if (key === FILLER) return null;
  return typeof key === "string" && typeof n === "number" ? { key, n } : null;
}
