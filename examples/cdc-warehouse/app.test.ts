import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, { config, type Order, type OrderChange, type Turnover } from "./app.ts";

function warehouse() {
  const driver = new TestDriver(builder, { config });
  const rows = driver.input("db-orders", string(), json<Order>(), { startMs: 0, advanceMs: 1_000 });
  const write = (id: number, status: Order["status"], total = 10.1) =>
    rows.write(`${id}`, { id, country: "TR", total, status });
  return { driver, write };
}

test("each change has the status that was before it", () => {
  const { driver, write } = warehouse();
  write(1, "open");
  write(2, "open");
  write(1, "paid");
  const changes = driver.output("order-changes", string(), json<OrderChange>()).readValues();
  expect(changes.map((change) => [change?.id, change?.statusBefore, change?.status])).toEqual([
    [1, null, "open"],
    [2, null, "open"],
    [1, "open", "paid"],
  ]);
  expect(changes[2]).toMatchObject({ country: "TR", total: 10.1, at: "1970-01-01T00:00:02.000Z" });
  driver.close();
});

test("turnover is of what is paid, and is taken off when that is cancelled", () => {
  const { driver, write } = warehouse();
  const turnover = driver.output("turnover", string(), json<Turnover>());
  write(1, "open");
  expect(turnover.size).toBe(0);
  write(1, "paid");
  write(2, "paid", 20.2);
  expect(turnover.readMap().get("TR")).toEqual({ orders: 2, total: 30.3 });
  write(1, "cancelled");
  expect(turnover.readMap().get("TR")).toEqual({ orders: 1, total: 20.2 });
  driver.close();
});
