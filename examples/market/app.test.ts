import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, {
  config,
  type Instrument,
  type LargeTrade,
  type NamedBar,
  type Trade,
} from "./app.ts";

function market() {
  const driver = new TestDriver(builder, { config });
  const instruments = driver.input("instruments", string(), json<Instrument>());
  instruments.write("ACM", { name: "Acme", currency: "USD", large: "1000" });
  return { driver, trades: driver.input("trades", string(), json<Trade>()) };
}

test("a bar comes once, when it is over, with trades that are a little late", () => {
  const { driver, trades } = market();
  const bars = driver.output("bars", string(), json<NamedBar>());
  trades.writeAll([
    ["ACM", { price: 10, size: 1 }, 1_000],
    ["ACM", { price: 12, size: 2 }, 1_500],
    ["ACM", { price: 20, size: 1 }, 2_100],
    ["ACM", { price: 9, size: 3 }, 1_900],
  ]);
  expect(bars.size).toBe(0);
  trades.write("ACM", { price: 21, size: 1 }, 2_500);
  expect(bars.readPairs()).toEqual([["ACM", {
    ...{ open: 10, high: 12, low: 9, close: 9, volume: 6 },
    ...{ from: "1970-01-01T00:00:00.000Z", name: "Acme", currency: "USD" },
  }]]);
  driver.close();
});

test("what is large is told at once, of instruments that are known", () => {
  const { driver, trades } = market();
  trades.writeAll([
    ["ACM", { price: 10, size: 99 }],
    ["ACM", { price: 10, size: 100 }],
    ["NEW", { price: 10, size: 100 }],
  ]);
  const large = driver.output("large-trades", string(), json<LargeTrade>()).readPairs();
  expect(large).toMatchObject([["ACM", { name: "Acme", amount: 1_000, currency: "USD" }]]);
  driver.close();
});
