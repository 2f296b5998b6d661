/**
 * A table joined with another by a key that is in its values (KIP-213). Rows of the left table tell the
 * task of their foreign key that they want to know its value (a subscription), through a topic; that
 * task remembers it and answers, at once and with each change, through another topic; back in the task
 * of the row the answer is joined, if the row still is as it was when it asked.
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";
import type { OpenStore } from "../stores/key-value-store.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { Change } from "./change.ts";
import {
  combinedKey,
  Instruction,
  type Subscription,
  type SubscriptionAnswer,
} from "./foreign-formats.ts";
import { murmur3 } from "./murmur3.ts";
import { type Getter, isOutdated, type TableView } from "./table-view.ts";

/** What is joined, and how. */
export interface ForeignJoin {
  readonly left: TableView;
  readonly right: TableView;
  /** The foreign key of a row; null: it has none. */
  readonly keyOf: (value: unknown, key: unknown) => unknown;
  /** Whether rows are there that the other table has nothing for. */
  readonly keepsLeft: boolean;
  readonly join: (value: unknown, other: unknown, key: unknown) => unknown;
  /** Of subscriptions, by combined keys. */
  readonly store: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly foreignKeySerde: Serde<unknown>;
  /** Names for serdes that want to know. */
  readonly topic: string;
}

type SubscriptionStore = OpenStore<Uint8Array, TimestampedValue<Subscription>>;

function hashOf({ valueSerde, topic }: ForeignJoin, value: unknown): Uint8Array | null {
  return value === null ? null : murmur3(valueSerde.serialize(value, topic));
}

function sameBytes(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other;
  return Buffer.compare(one, other) === 0;
}

/** Behind the left table: its rows ask (`SubscriptionSendProcessorSupplier`). */
export function foreignAsk(join: ForeignJoin): () => Processor {
  return () => new ForeignAsk(join);
}

class ForeignAsk implements Processor {
  #context!: ProcessorContext;

  constructor(private readonly join: ForeignJoin) {}

  init(context: ProcessorContext): void {
    this.#context = context;
  }

  process(record: StreamRecord): void {
    // Behind a table there are changes only.
    const change = record.value as Change<unknown>;
    if (isOutdated(this.join.left, change)) return this.#context.drop("a later version is there");
    const hash = hashOf(this.join, change.newValue);
    const ask = (foreignKey: unknown, instruction: number) => {
      const { partition } = this.#context;
      const subscription = { hash, instruction, primaryKey: record.key, partition };
      this.#context.forward({ ...record, key: foreignKey, value: subscription });
    };
    const before = this.#keyOf(change.oldValue, record.key);
    const after = this.#keyOf(change.newValue, record.key);
    const isSame = this.#isSame(before, after);
    if (this.join.keepsLeft) return this.#askToKeep(change, before, after, isSame, ask);
    if (change.newValue === null) {
      if (before !== null) ask(before, Instruction.deleteAndAnswer);
    } else if (after === null) {
      this.#context.drop("its foreign key is null");
      if (before !== null) ask(before, Instruction.deleteAndAnswer);
    } else if (before === null || isSame) {
      // Nothing was joined with another key before, so no answer says that nothing is now.
      ask(after, Instruction.answerIfThere);
    } else {
      ask(before, Instruction.deleteOnly);
      ask(after, Instruction.answerAlways);
    }
  }

  /** A row is there whatever the answer, and gone by one: so there is always an answer. */
  #askToKeep(
    change: Change<unknown>,
    before: unknown,
    after: unknown,
    isSame: boolean,
    ask: (foreignKey: unknown, instruction: number) => void,
  ): void {
    if (change.oldValue === null && change.newValue === null) return;
    if (before !== null && !isSame) ask(before, Instruction.deleteOnly);
    ask(after, Instruction.answerAlways);
  }

  #keyOf(value: unknown, key: unknown): unknown {
    return value === null ? null : this.join.keyOf(value, key);
  }

  #isSame(before: unknown, after: unknown): boolean {
    if (before === null || after === null) return before === after;
    const { foreignKeySerde, topic } = this.join;
    return sameBytes(
      foreignKeySerde.serialize(before, topic),
      foreignKeySerde.serialize(after, topic),
    );
  }
}

/** In the task of the foreign key (`SubscriptionReceive…`, `SubscriptionJoinProcessorSupplier`). */
export function foreignAnswer(join: ForeignJoin): () => Processor {
  return () => new ForeignAnswer(join);
}

class ForeignAnswer implements Processor {
  #context!: ProcessorContext;
  #store!: SubscriptionStore;
  #get!: Getter;

  constructor(private readonly join: ForeignJoin) {}

  init(context: ProcessorContext): void {
    this.#context = context;
    // The topology has opened it as such.
    this.#store = context.store(this.join.store) as SubscriptionStore;
    this.#get = this.join.right.getter(context);
  }

  process(record: StreamRecord): void {
    const { key, timestampMs } = record;
    // The topic has subscriptions only.
    const subscription = record.value as Subscription;
    const { instruction, hash, partition } = subscription;
    if (key !== null) this.#remember(key, subscription, timestampMs);
    else if (instruction !== Instruction.answerAlways) {
      return this.#context.drop("its foreign key is null");
    }
    if (instruction === Instruction.deleteOnly) return;
    const found = key === null ? null : this.#get(key);
    if (instruction === Instruction.answerIfThere && found === null) return;
    const value = instruction === Instruction.deleteAndAnswer ? null : found?.value ?? null;
    this.#context.forward({
      ...{ key: subscription.primaryKey, value: { hash, value, partition } },
      timestampMs: Math.max(timestampMs, found?.timestampMs ?? -1),
      headers: record.headers,
    });
  }

  #remember(key: unknown, subscription: Subscription, timestampMs: number): void {
    const { foreignKeySerde, keySerde, topic } = this.join;
    const { instruction, primaryKey } = subscription;
    const at = combinedKey(
      foreignKeySerde.serialize(key, topic),
      keySerde.serialize(primaryKey, topic),
    );
    const isGone = instruction === Instruction.deleteOnly ||
      instruction === Instruction.deleteAndAnswer;
    this.#store.put(at, isGone ? null : { value: subscription, timestampMs });
  }
}

/** Behind the right table: all who have asked for a key are told (`ForeignTableJoinProcessorSupplier`). */
export function foreignTell(join: ForeignJoin): () => Processor {
  return () => {
    let context!: ProcessorContext;
    let store!: SubscriptionStore;
    return {
      init(given) {
        context = given;
        // The topology has opened it as such.
        store = given.store(join.store) as SubscriptionStore;
      },
      process(record) {
        if (record.key === null) return context.drop("its key is null");
        // Behind a table there are changes only.
        const change = record.value as Change<unknown>;
        if (isOutdated(join.right, change)) return context.drop("a later version is there");
        const key = join.foreignKeySerde.serialize(record.key, join.topic);
        const from = combinedKey(key, new Uint8Array());
        const length = from.length;
        for (const [at, { value }] of store.range(from, after(from))) {
          if (Buffer.compare(at.subarray(0, length), from) !== 0) break;
          const { hash, primaryKey, partition } = value;
          const answer: SubscriptionAnswer = { hash, value: change.newValue, partition };
          context.forward({ ...record, key: primaryKey, value: answer });
        }
      },
    };
  };
}

/** The first bytes that do not begin with these, whose first ones are those of a length: not all 0xff. */
function after(prefix: Uint8Array): Uint8Array {
  const bytes = prefix.slice();
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = (bytes[i]! + 1) & 0xff;
    if (bytes[i] !== 0) return bytes;
  }
  return bytes;
}

/** Back in the task of the row (`ResponseJoinProcessorSupplier`): gives values of a table, null: it is gone. */
export function foreignResult(join: ForeignJoin): () => Processor {
  return () => {
    let context!: ProcessorContext;
    let get!: Getter;
    return {
      init(given) {
        context = given;
        get = join.left.getter(given);
      },
      process(record) {
        // The topic has answers only.
        const { hash, value: other } = record.value as SubscriptionAnswer;
        const value = get(record.key)?.value ?? null;
        if (!sameBytes(hash, hashOf(join, value))) {
          return context.drop("the row has changed since it asked");
        }
        const isThere = value !== null && (other !== null || join.keepsLeft);
        const joined = isThere ? join.join(value, other, record.key) : null;
        context.forward({ ...record, value: joined });
      },
    };
  };
}
