import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, {
  type Cart,
  config,
  type Delivery,
  type Funnel,
  type Order,
  type PageView,
  type Spent,
  type Stock,
} from "./app.ts";

function shop() {
  const driver = new TestDriver(builder, { config });
  return {
    driver,
    views: driver.input("page-views", string(), json<PageView>()),
    carts: driver.input("carts", string(), json<Cart>()),
    orders: driver.input("orders", string(), json<Order>()),
    deliveries: driver.input("deliveries", string(), json<Delivery>()),
  };
}

test("views, carts and orders come together at their product", () => {
  const { driver, views, carts, orders } = shop();
  views.writeAll([["ann", { product: "tea" }], ["bo", { product: "tea" }]]);
  carts.write("ann", { product: "tea" });
  orders.write("ann", { products: ["tea", "mug"], total: 12 });
  const funnel = driver.output("funnel", string(), json<Funnel>()).readMap();
  expect(funnel.get("tea")).toEqual({ views: 2, carts: 1, bought: 1 });
  expect(funnel.get("mug")).toEqual({ views: 0, carts: 0, bought: 1 });
  driver.close();
});

test("what is bought together most comes first", () => {
  const { driver, orders } = shop();
  for (const products of [["tea", "pot"], ["mug", "tea"], ["tea", "mug", "tea"]]) {
    orders.write("ann", { products, total: 1 });
  }
  const also = driver.output("also-bought", string(), json<string[]>()).readMap();
  expect(also.get("tea")).toEqual(["mug", "pot"]);
  expect(also.get("pot")).toEqual(["tea"]);
  driver.close();
});

test("stock goes up with deliveries and down with orders", () => {
  const { driver, deliveries, orders } = shop();
  deliveries.write("tea", { pieces: 11 });
  const inventory = driver.output("inventory", string(), json<Stock>());
  expect(inventory.readOne().value).toEqual({ pieces: 11, isLow: false });
  orders.write("ann", { products: ["tea", "tea"], total: 1 });
  expect(inventory.readMap().get("tea")).toEqual({ pieces: 9, isLow: true });
  driver.close();
});

test("who orders for much within ten seconds is flagged, who takes his time is not", () => {
  const { driver, orders } = shop();
  orders.writeAll([
    ["slow", { products: [], total: 900 }, 0],
    ["slow", { products: [], total: 900 }, 20_000],
    ["fast", { products: [], total: 900 }, 20_000],
    ["fast", { products: [], total: 200 }, 25_000],
  ]);
  const flags = driver.output("fraud-flags", string(), json<Spent>()).readPairs();
  expect(flags).toEqual([["fast", { orders: 2, total: 1_100 }]]);
  driver.close();
});

test("a cart is left behind when no order comes in time", () => {
  const { driver, carts, orders } = shop();
  carts.write("ann", { product: "tea" }, 1_000);
  carts.write("bo", { product: "pot" }, 1_000);
  orders.write("ann", { products: ["tea"], total: 3 }, 9_000);
  carts.write("cem", { product: "mug" }, 12_000);
  const left = driver.output("abandoned-carts", string(), json<Cart>()).readPairs();
  expect(left).toEqual([["bo", { product: "pot" }]]);
  driver.close();
});
