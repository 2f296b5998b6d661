/**
 * A shop on a busy evening, of what its customers look at, put into carts and order: how often each
 * product was looked at, put into a cart and bought; what is bought together; who orders so much within
 * seconds that somebody should look; carts that nobody pays for; and what is in stock.
 */
import { json, sliding, string, TopologyBuilder, within } from "kstream/stream";

export const config = { "application.id": "shop" };

/** Of a customer, who is the key; so are those of carts and orders. */
export interface PageView {
  readonly product: string;
}

export interface Cart {
  readonly product: string;
}

export interface Order {
  readonly products: readonly string[];
  readonly total: number;
}

/** Of a product, which is the key. */
export interface Delivery {
  readonly pieces: number;
}

export interface Funnel {
  readonly views: number;
  readonly carts: number;
  readonly bought: number;
}

export interface Spent {
  readonly orders: number;
  readonly total: number;
}

export interface Stock {
  readonly pieces: number;
  readonly isLow: boolean;
}

const builder = new TopologyBuilder();
const views = builder.stream<string, PageView>("page-views");
const carts = builder.stream<string, Cart>("carts");
const orders = builder.stream<string, Order>("orders");
const deliveries = builder.stream<string, Delivery>("deliveries");

/** A piece for each product of an order. */
const sold = orders.flatMap(
  ({ products }) => products.map((product) => [product, { pieces: -1 }] as const),
  { key: string(), value: json<Delivery>() },
).repartition("sold");

views.groupBy("views-by-product", ({ product }) => product)
  .cogroup<Funnel>((funnel) => ({ ...funnel, views: funnel.views + 1 }))
  .cogroup(
    carts.groupBy("carts-by-product", ({ product }) => product),
    (funnel) => ({ ...funnel, carts: funnel.carts + 1 }),
  )
  .cogroup(sold.groupByKey(), (funnel) => ({ ...funnel, bought: funnel.bought + 1 }))
  .aggregate("funnels", () => ({ views: 0, carts: 0, bought: 0 }))
  .toStream()
  .to("funnel");

deliveries.merge(sold).groupByKey()
  .aggregate("stock", () => 0, (pieces, delivery) => pieces + delivery.pieces)
  .mapValues<Stock>((pieces) => ({ pieces, isLow: pieces < 10 }))
  .toStream()
  .to("inventory");

// Of each product, how often each other one was in the same order; the first three of them go out.
orders.flatMap(({ products }) => {
  const different = [...new Set(products)];
  return different.flatMap((one) =>
    different.filter((other) => other !== one).map((other) => [one, other] as const)
  );
}, { key: string(), value: string() })
  .groupByKey({ name: "pairs" })
  .aggregate<Record<string, number>>(
    "bought-together",
    () => ({}),
    (counts, other) => ({ ...counts, [other]: (counts[other] ?? 0) + 1 }),
  )
  .mapValues((counts) =>
    Object.entries(counts).sort(([, one], [, other]) => other - one).slice(0, 3)
      .map(([product]) => product)
  )
  .toStream()
  .to("also-bought");

orders.groupByKey()
  .windowedBy(sliding({ differenceMs: 10_000 }))
  .aggregate<Spent>(
    "spent-lately",
    () => ({ orders: 0, total: 0 }),
    (spent, { total }) => ({ orders: spent.orders + 1, total: spent.total + total }),
  )
  .toStream()
  .filter((spent): spent is Spent => spent !== null && (spent.orders > 3 || spent.total > 1_000))
  .selectKey((_, { key }) => key, string())
  .to("fraud-flags");

// A cart is paid for within ten seconds, or it is left behind.
carts.leftJoin<Order, Cart | null>(
  "carts-and-orders",
  orders,
  within({ beforeMs: 0, afterMs: 10_000 }),
  (cart, order) => order === null ? cart : null,
)
  .filter((cart): cart is Cart => cart !== null)
  .to("abandoned-carts");

export default builder;
