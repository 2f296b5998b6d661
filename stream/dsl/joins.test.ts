import { expect, test } from "bun:test";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { describeTopology } from "../topology/describe.ts";
import { topologyChanges } from "../topology/difference.ts";
import { within } from "../windows/join-windows.ts";
import { TopologyBuilder } from "./builder.ts";

interface Order {
  readonly user: string;
  readonly total: number;
}

function streams() {
  const builder = new TopologyBuilder();
  return {
    builder,
    orders: builder.stream<string, Order>("orders"),
    payments: builder.stream<string, number>("payments"),
    byNumber: builder.stream<number, number>("numbers", { key: safeLong() }),
  };
}

const pair = ({ key, value, timestampMs }: { key: unknown; value: unknown; timestampMs: number }) =>
  [key, value, timestampMs] as const;

test("streams are joined within a time, and what stays alone is given on when that is sure", () => {
  const { builder, orders, payments } = streams();
  const windows = within({ beforeMs: 0, afterMs: 10, graceMs: 5 });
  orders.leftJoin("paid", payments, windows, ({ total }, paid) => `${paid ?? "none"} of ${total}`)
    .to("out");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const order = driver.input("orders", string(), json<Order>());
  const payment = driver.input("payments", string(), json<number>());
  order.write("a", { user: "u", total: 7 }, 100);
  order.write("b", { user: "u", total: 8 }, 101);
  payment.write("a", 3, 110);
  payment.write("a", 4, 111);
  expect(driver.read("out", string(), json()).map(pair)).toEqual([["a", "3 of 7", 110]]);
  order.write("c", { user: "u", total: 9 }, 117);
  expect(driver.read("out", string(), json()).map(pair)).toEqual([["b", "none of 8", 101]]);
  expect(driver.writtenTopics().sort()).toEqual([
    "app-paid-left-shared-join-store-changelog",
    "app-paid-outer-other-join-store-changelog",
    "app-paid-this-join-store-changelog",
  ]);
  driver.close();
});

test("several of one key and time that wait do not hide that others of before wait, too", () => {
  const builder = new TopologyBuilder();
  const [one, other] = [
    builder.stream<string, string>("one"),
    builder.stream<string, string>("two"),
  ];
  const windows = within({ beforeMs: 58, afterMs: 137, graceMs: 58 });
  one.outerJoin("both", other, windows, (left, right) => `${left}|${right}`).to("out");
  const driver = new TestDriver(builder.topology);
  const [left, right] = ["one", "two"].map((topic) => driver.input(topic, string(), json()));
  right!.write("a", "first", 1021);
  left!.write("c", "x", 1053);
  left!.write("c", "y", 986);
  right!.write("a", "second", 1021);
  // Looks for what is over: nothing yet, the second window to end is that of the two.
  right!.write("b", "z", 1128);
  right!.write("a", "third", 1148);
  expect(driver.read("out", string(), json()).map(pair)).toEqual([
    ["a", "null|first", 1021],
    ["a", "null|second", 1021],
  ]);
  driver.close();
});

test("a stream looks up a table by its key, and a global table by any", () => {
  const { builder, orders } = streams();
  const users = builder.globalTable<string, { readonly name: string }>("users", "users");
  const notes = builder.table<string, string>("notes", "notes");
  orders.joinGlobal(users, ({ user }) => user, ({ total }, { name }) => `${name} ${total}`)
    .leftJoinTable(notes, (text, note, key) => `${key}: ${text} ${note ?? "-"}`)
    .to("out");
  const driver = new TestDriver(builder.topology);
  driver.input("users", string(), json()).write("u", { name: "Ada" }, 500);
  driver.input("notes", string(), json()).write("o2", "late", 600);
  const order = driver.input("orders", string(), json<Order>());
  order.write("o1", { user: "u", total: 1 }, 5);
  order.write("o2", { user: "u", total: 2 }, 6);
  order.write("o3", { user: "nobody", total: 3 }, 7);
  expect(driver.read("out", string(), json()).map(pair)).toEqual([
    ["o1", "o1: Ada 1 -", 5],
    ["o2", "o2: Ada 2 late", 6],
  ]);
  expect(driver.writtenTopics()).toEqual(["test-notes-changelog"]);
  driver.close();
});

test("a record waits for what comes late to a versioned table, and is joined with what was", () => {
  const { builder, orders } = streams();
  const notes = builder.table<string, string>("notes", "notes", { historyRetentionMs: 100 });
  orders.leftJoinTable(notes, ({ total }, note) => `${total} ${note ?? "-"}`, {
    ...{ name: "noted", graceMs: 50 },
  }).to("out");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const order = driver.input("orders", string(), json<Order>());
  const note = driver.input("notes", string(), json<string>());
  order.write("a", { user: "u", total: 1 }, 20);
  order.write("a", { user: "u", total: 2 }, 10);
  note.write("a", "later", 30);
  note.write("a", "then", 15);
  expect(driver.read("out", string(), json())).toEqual([]);
  order.write("b", { user: "u", total: 3 }, 71);
  order.write("a", { user: "u", total: 4 }, 16);
  expect(driver.read("out", string(), json()).map(pair)).toEqual([
    ["a", "2 -", 10],
    ["a", "1 then", 20],
    ["a", "4 then", 16],
  ]);
  expect(driver.readRaw("app-noted-Buffer-changelog").length).toBe(5);
  driver.close();
});

test("records wait only for a table whose history is as long", () => {
  const { builder, orders } = streams();
  const plain = builder.table<string, string>("plain", "plain");
  const short = builder.table<string, string>("short", "short", { historyRetentionMs: 9 });
  expect(() => orders.joinTable(plain, () => 1, { name: "a", graceMs: 10 })).toThrow("needs");
  expect(() => orders.joinTable(short, () => 1, { name: "b", graceMs: 10 })).toThrow("needs");
  expect(() => orders.joinTable(short, () => 1, { graceMs: 9 })).toThrow("{ name: … }");
  orders.joinTable(short.filter(() => true), () => 1, { name: "c", graceMs: 9 });
});

test("rows are joined with rows of another table by a key that is in them", () => {
  const builder = new TopologyBuilder();
  const orders = builder.table<string, Order>("orders", "orders");
  const users = builder.table<string, string>("users", "users");
  orders.joinForeign("by-user", users, ({ user }) => user, ({ total }, name) => `${name} ${total}`)
    .toStream().to("inner");
  orders.leftJoinForeign("left", users, ({ user }) => user, ({ total }, name) => `${name} ${total}`)
    .filter((text) => text !== "skip", { store: "kept" })
    .toStream().to("left");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const order = driver.input("orders", string(), json<Order>());
  const user = driver.input("users", string(), json<string>());
  const read = (topic: string) =>
    driver.read(topic, string(), json()).map(({ key, value }) => `${key}: ${value}`);
  order.write("o1", { user: "u", total: 1 }, 1);
  order.write("o2", { user: "u", total: 2 }, 2);
  expect(read("inner")).toEqual([]);
  expect(read("left")).toEqual(["o1: null 1", "o2: null 2"]);
  user.write("u", "Ada", 3);
  expect(read("inner")).toEqual(["o1: Ada 1", "o2: Ada 2"]);
  expect(read("left")).toEqual(["o1: Ada 1", "o2: Ada 2"]);
  order.write("o1", { user: "v", total: 1 }, 4);
  expect(read("inner")).toEqual(["o1: null"]);
  order.write("o2", null, 5);
  expect(read("inner")).toEqual(["o2: null"]);
  expect(read("left")).toEqual(["o1: null 1", "o2: null"]);
  expect(driver.writtenTopics()).toContain("app-by-user-subscription-registration-topic");
  driver.close();
});

test("what is not of one key, or of the values' types, does not compile", () => {
  const { builder, orders, payments, byNumber } = streams();
  const windows = within({ differenceMs: 1 });
  const table = builder.table<number, string>("t", "t", { key: safeLong() });
  const global = builder.globalTable<number, string>("g", "g", { key: safeLong() });
  // @ts-expect-error: keys are text here and numbers there
  orders.join("a", byNumber, windows, () => 1);
  // @ts-expect-error: keys are text here and numbers there
  orders.joinTable(table, () => 1);
  // @ts-expect-error: the global table's keys are numbers
  orders.joinGlobal(global, ({ user }) => user, () => 1);
  const texts = builder.table<string, string>("texts", "texts");
  // @ts-expect-error: the other table's keys are numbers
  texts.joinForeign("f", table, (text) => text, (text) => text);
  // @ts-expect-error: the other value is a number
  orders.join("b", payments, windows, (_order, paid: string) => paid);
  // @ts-expect-error: the other value may be null
  orders.leftJoin("c", payments, windows, (_order, paid: number) => paid);
  // @ts-expect-error: a table is joined by joinTable
  orders.join("d", table, windows, () => 1);
});

test("keys that were changed need a name for the topic between", () => {
  const { builder, orders } = streams();
  const notes = builder.table<string, string>("notes", "notes");
  const byUser = orders.selectKey(({ user }) => user);
  expect(() => byUser.joinTable(notes, () => 1)).toThrow("{ name: … }");
  byUser.joinTable(notes, () => 1, { name: "by-user" });
  expect([...builder.topology.repartitionTopics.keys()]).toEqual(["by-user-repartition"]);
});

test("stores and topics of joins say what is in them, so that another type is seen", () => {
  const described = (value: Serde<string>) => {
    const builder = new TopologyBuilder();
    const [one, two] = [
      builder.stream<string, string>("one", { value }),
      builder.stream<string, string>("two", { value }),
    ];
    one.outerJoin("both", two, within({ beforeMs: 5, afterMs: 5, graceMs: 0 }), () => "");
    const table = builder.table<string, string>("a", "three", { value, historyRetentionMs: 9 });
    one.joinTable(table, () => "", { name: "late", graceMs: 5 });
    table.joinForeign(
      "far",
      builder.table<string, string>("b", "four", { value }),
      (key) => key,
      () => "",
    );
    return describeTopology(builder.topology);
  };
  const before = described(string());
  const named = [...before.stores, ...before.repartitionTopics];
  expect(named.filter(({ key, value }) => key === null || value === null)).toEqual([]);
  const changes = topologyChanges(before, described({ ...string(), name: "other" }));
  const reset = changes.filter(({ effect }) => effect === "reset").map(({ name }) => name);
  expect(reset).toContain("both-outer-shared-join-store");
  expect(reset).toContain("late-Buffer");
});
