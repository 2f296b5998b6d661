/** Joins of tables by foreign key, as the methods of `KTable` have them: nodes, topics and stores. */
import {
  foreignAnswer,
  foreignAsk,
  type ForeignJoin,
  foreignResult,
  foreignTell,
} from "../processors/foreign-join.ts";
import {
  answerSerde,
  type SubscriptionAnswer,
  subscriptionSerde,
} from "../processors/foreign-formats.ts";
import { tableSource } from "../processors/table-source.ts";
import { storeView, type TableView } from "../processors/table-view.ts";
import { bytes, json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import type { Partitioner } from "../topology/topology.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { MaterializedTable, TableParts } from "./ktable.ts";

/**
 * `name` is that of its topics (`NAME-subscription-registration-topic`, `NAME-subscription-response-topic`)
 * and of its store (`NAME-subscription-store`), as Kafka Streams has them for `TableJoined.as(name)`.
 */
export function joinForeign<K, V, K2, V2, R>(
  builder: TopologyBuilder,
  name: string,
  [left, right]: readonly [TableParts<K, V>, TableParts<K2, V2>],
  keepsLeft: boolean,
  keyOf: (value: V, key: K) => K2 | null,
  joiner: (value: V, other: V2 | null, key: K) => R | null,
  options: MaterializedTable<R>,
): TableParts<K, R> {
  const { topology } = builder;
  left.view.sendOldValues(true);
  right.view.sendOldValues(true);
  const asks = `${name}-subscription-registration-topic`;
  const answers = `${name}-subscription-response-topic`;
  const store = `${name}-subscription-store`;
  const join: ForeignJoin = {
    ...{ left: left.view, right: right.view, keepsLeft, store, topic: asks },
    ...{ keySerde: left.keySerde, valueSerde: left.valueSerde, foreignKeySerde: right.keySerde },
    // Rows of these tables have their types.
    keyOf: (value, key) => keyOf(value as V, key as K),
    join: (value, other, key) => joiner(value as V, other as V2 | null, key as K),
  };
  // A serde of subscriptions, and one of answers, are given those alone.
  const asked = subscriptionSerde(left.keySerde) as Serde<unknown>;
  const answered = answerSerde(right.valueSerde) as Serde<unknown>;
  const node = builder.nameOf("foreign-join");
  const add = (
    step: string,
    parent: string,
    supplier: ReturnType<typeof foreignAsk>,
    stores: readonly string[],
  ): string => {
    topology.addProcessor({ name: `${node}-${step}`, parents: [parent], supplier, stores });
    return `${node}-${step}`;
  };
  const asking = add("ask", left.node, foreignAsk(join), []);
  const asksSerdes = { keySerde: right.keySerde, valueSerde: asked };
  const asksSource = builder.throughTopic([asking], asks, asksSerdes, null);
  builder.joinSources(right.sources, [asksSource]);
  topology.addStore({
    ...{ kind: "key-value", name: store, keySerde: bytes(), valueSerde: asked } as const,
    ...{ isTimestamped: true, isLogged: true, isCached: false, changelogConfigs: {} },
  });
  const answering = add("answer", asksSource, foreignAnswer(join), [store, ...right.view.stores]);
  const telling = add("tell", right.node, foreignTell(join), [store]);
  const answersSerdes = { keySerde: left.keySerde, valueSerde: answered };
  const source = builder.throughTopic([answering, telling], answers, answersSerdes, null, toAsker);
  const sources = builder.joinSources(left.sources, [source]);
  const joined = add("result", source, foreignResult(join), [...left.view.stores]);
  return resultTable(builder, name, joined, { ...left, sources }, options);
}

/** To the partition of the row that has asked. */
const toAsker: Partitioner = ({ value }) => (value as SubscriptionAnswer).partition;

/** A table of what `parent` gives, kept in a store once somebody wants to look it up. */
function resultTable<K, R>(
  builder: TopologyBuilder,
  name: string,
  parent: string,
  left: Pick<TableParts<K, unknown>, "keySerde" | "sources">,
  options: MaterializedTable<R>,
): TableParts<K, R> {
  const links = { sendsOldValues: false };
  const valueSerde = options.value ?? json<R>();
  const stores: string[] = [];
  const keep = (): string => {
    const [kept] = stores;
    if (kept !== undefined) return kept;
    const store = options.store ?? `${name}-result`;
    builder.addTableStore(store, left.keySerde, valueSerde, options);
    stores.push(store);
    return store;
  };
  if (options.store !== undefined || options.historyRetentionMs !== undefined) keep();
  const node = builder.nameOf("foreign-table");
  const supplier = () => tableSource(stores[0] ?? null, links)();
  builder.topology.addProcessor({ name: node, parents: [parent], supplier, stores });
  const view: TableView = {
    get stores() {
      return [keep()];
    },
    getter: (context) => storeView(keep(), () => {}).getter(context),
    sendOldValues(isForced) {
      if (stores.length === 0 && !isForced) return false;
      keep();
      return links.sendsOldValues = true;
    },
    ...(options.historyRetentionMs !== undefined && {
      asOf: (context) => storeView(keep(), () => {}, true).asOf!(context),
    }),
  };
  return {
    ...{ node, valueSerde, view, keySerde: left.keySerde, sources: left.sources },
    get store() {
      return stores[0] ?? null;
    },
  };
}
