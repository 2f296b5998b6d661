/**
 * From a database to a warehouse. Rows of the table `orders` come as they are written; what comes of
 * them is each change with the status before it, for the warehouse, and the turnover of each country as
 * it is now: an order that is cancelled is taken off again.
 */
import {
  json,
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  string,
  TopologyBuilder,
} from "kstream/stream";

export const config = { "application.id": "cdc-warehouse" };

/** A row; its key is the id. */
export interface Order {
  readonly id: number;
  readonly country: string;
  readonly total: number;
  readonly status: "open" | "paid" | "cancelled";
}

/** A row of the warehouse: what became of an order. */
export interface OrderChange extends Order {
  /** Null: the order is new. */
  readonly statusBefore: Order["status"] | null;
  readonly at: string;
}

export interface Turnover {
  readonly orders: number;
  readonly total: number;
}

const builder = new TopologyBuilder();
const rows = builder.stream<string, Order>("db-orders");

builder.addStateStore("statuses", {
  kind: "key-value",
  key: string(),
  value: json<Order["status"]>(),
});
rows.processValues(withStatusBefore, { stores: ["statuses"] }).to("order-changes");

rows.toTable("orders-by-id")
  .filter(({ status }) => status === "paid")
  .groupBy("orders-by-country", ({ country, total }) => [country, total])
  .aggregate<Turnover>(
    "turnover-by-country",
    () => ({ orders: 0, total: 0 }),
    ({ orders, total }, one) => ({ orders: orders + 1, total: cents(total + one) }),
    ({ orders, total }, one) => ({ orders: orders - 1, total: cents(total - one) }),
  )
  .toStream()
  .to("turnover");

/** A processor: the store has the status that each order had last. */
function withStatusBefore(): Processor<string, Order, string, OrderChange> {
  let context: ProcessorContext<string, OrderChange>;
  let statuses: KeyValueStore<string, Order["status"]>;
  return {
    init(given) {
      context = given;
      statuses = given.store("statuses") as typeof statuses;
    },
    process(record) {
      const statusBefore = statuses.get(record.key);
      statuses.put(record.key, record.value.status);
      const at = new Date(record.timestampMs).toISOString();
      context.forward({ ...record, value: { ...record.value, statusBefore, at } });
    },
  };
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

export default builder;
