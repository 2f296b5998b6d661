import { expect, test } from "bun:test";
import { ExpressionError } from "../../core/expression/expression.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { pipeTopology } from "./pipe-topology.ts";

test("records that hold go on with another value and key, and with their time and headers", () => {
  const driver = new TestDriver(pipeTopology({
    from: ["orders"],
    to: "big",
    where: 'v.total > 100 && h.source === "web"',
    map: "({ id: v.id, at: offset })",
    keyBy: "v.country",
  }));
  const orders = driver.input("orders", string(), json<unknown>());
  const web = [["source", Buffer.from("web")]] as const;
  orders.write("k", { id: 1, total: 500, country: "DE" }, 10, web);
  orders.write("k", { id: 2, total: 50, country: "DE" }, 20, web);
  orders.write("k", { id: 3, total: 500, country: "FR" }, 30);
  orders.write("k", { id: 4, total: 501, country: "FR" }, 40, web);
  expect(driver.read("big", string(), json())).toMatchObject([
    {
      key: "DE",
      value: { id: 1, at: 0 },
      timestampMs: 10,
      headers: [["source", expect.anything()]],
    },
    { key: "FR", value: { id: 4, at: 3 }, timestampMs: 40 },
  ]);
  driver.close();
});

test("without expressions records are as they were, tombstones too", () => {
  const driver = new TestDriver(pipeTopology({ from: ["a"], to: "b" }));
  driver.input("a", string(), string()).write("k", null, 5);
  expect(driver.readRaw("b")).toMatchObject([{
    key: new Uint8Array([107]),
    value: null,
    timestampMs: 5,
  }]);
  driver.close();
});

test("an expression that cannot be read is told before anything runs", () => {
  expect(() => pipeTopology({ from: ["a"], to: "b", where: "valu > 1" })).toThrow(ExpressionError);
});
