/**
 * Two tables joined by key (`KTableKTableInnerJoin`, `…LeftJoin`, `…RightJoin`, `…OuterJoin`). A change
 * of either side looks up the other one; what both give is brought together by `tableJoinMerger`.
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import { type Change, changed } from "./change.ts";
import { tableForwarder } from "./table-forwarder.ts";
import type { TableLinks } from "./table-links.ts";
import { type TableStore, tableStore } from "./table-store.ts";
import { type Getter, isOutdated, storeView, type TableView } from "./table-view.ts";

/** What is joined, and how. */
export interface TableJoin {
  readonly left: TableView;
  readonly right: TableView;
  /** Whether a key that only this side has is there in what comes of it. */
  readonly keepsLeft: boolean;
  readonly keepsRight: boolean;
  /** Where a side has no value it is given null. */
  readonly join: (key: unknown, left: unknown, right: unknown) => unknown;
  readonly links: TableLinks;
  /** Null: what comes of it is made as it is asked for. */
  readonly store: string | null;
}

/** The view of what comes of a join. */
export function joinedView(join: TableJoin, isVersioned: boolean): TableView {
  const sendOldValues = () => {
    join.left.sendOldValues(true);
    join.right.sendOldValues(true);
    join.links.sendsOldValues = true;
    return true;
  };
  if (join.store !== null) return storeView(join.store, sendOldValues, isVersioned);
  return {
    stores: [...new Set([...join.left.stores, ...join.right.stores])],
    getter: (context) => joinedGetter(join, context),
    sendOldValues,
  };
}

function joinedGetter(join: TableJoin, context: ProcessorContext): Getter {
  const left = join.left.getter(context);
  const right = join.right.getter(context);
  return (key) => {
    const [one, other] = [left(key), right(key)];
    if (one === null && (other === null || !join.keepsRight)) return null;
    if (other === null && !join.keepsLeft) return null;
    const value = join.join(key, one?.value ?? null, other?.value ?? null);
    const timestampMs = Math.max(one?.timestampMs ?? -1, other?.timestampMs ?? -1);
    return value === null ? null : { value, timestampMs };
  };
}

/** Joins changes of one side with the values of the other one. */
export function tableJoinSide(join: TableJoin, side: "left" | "right"): () => Processor {
  return () => new TableJoinSide(join, side);
}

class TableJoinSide implements Processor {
  #context!: ProcessorContext;
  #other!: Getter;

  constructor(private readonly join: TableJoin, private readonly side: "left" | "right") {}

  init(context: ProcessorContext): void {
    this.#context = context;
    this.#other = (this.side === "left" ? this.join.right : this.join.left).getter(context);
  }

  process(record: StreamRecord): void {
    const { key } = record;
    if (key === null) return this.#context.drop("its key is null");
    // Behind a table there are changes only.
    const change = record.value as Change<unknown>;
    const own = this.side === "left" ? this.join.left : this.join.right;
    if (isOutdated(own, change)) return this.#context.drop("a later version is there");
    const other = this.#other(key);
    const { keepsLeft, keepsRight, links } = this.join;
    const [keepsOwn, keepsOther] = this.side === "left"
      ? [keepsLeft, keepsRight]
      : [keepsRight, keepsLeft];
    if (other === null) {
      if (!keepsOwn) return;
      if (change.newValue === null && change.oldValue === null) return;
    }
    const value = other?.value ?? null;
    const joined = (own: unknown) => {
      if (own === null && (value === null || !keepsOther)) return null;
      return this.#join(key, own, value);
    };
    const newValue = joined(change.newValue);
    const oldValue = links.sendsOldValues ? joined(change.oldValue) : null;
    const timestampMs = Math.max(record.timestampMs, other?.timestampMs ?? -1);
    this.#context.forward({ ...record, value: { newValue, oldValue }, timestampMs });
  }

  #join(key: unknown, own: unknown, other: unknown): unknown {
    return this.side === "left" ? this.join.join(key, own, other) : this.join.join(key, other, own);
  }
}

/** Brings changes of both sides together, in a store where the table has one. */
export function tableJoinMerger({ store, links }: TableJoin): () => Processor {
  return () => {
    let opened: TableStore | null = null;
    let forward: (record: StreamRecord<unknown, Change<unknown>>) => void = () => {};
    return {
      init(context) {
        forward = (record) => context.forward(record);
        if (store === null) return;
        opened = tableStore(context, store);
        forward = tableForwarder(context, opened, links);
      },
      process(record) {
        // Both sides give changes.
        const { newValue, oldValue } = record.value as Change<unknown>;
        const { timestampMs } = record;
        const put = newValue === null ? null : { value: newValue, timestampMs };
        const outcome = opened?.put(record.key, put, timestampMs);
        if (outcome === "expired") return;
        const value = changed(newValue, links.sendsOldValues ? oldValue : null, outcome);
        forward({ ...record, value });
      },
    };
  };
}
