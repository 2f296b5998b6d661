/** `kstream txn` against a running broker, with transactions that nobody ends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { leaveOpen } from "../harness/raw-transactions.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "t:2"] });
  at = { brokers: broker.bootstrap };
  const unverified = "transaction.partition.verification.enable=false";
  await ok(["config", "set", "broker", "default", unverified], at);
  await ok(["produce", "t", "-p", "0"], { ...at, input: "1\n2\n" });
  await leaveOpen(broker.port, {
    transactionalId: "lost",
    topic: "t",
    partition: 0,
    records: 3,
    known: false,
  });
  await leaveOpen(broker.port, {
    transactionalId: "billing-1",
    topic: "t",
    partition: 1,
    records: 2,
    known: true,
  });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

async function json(...args: string[]) {
  return JSON.parse(await ok(["txn", ...args, "--json"], at));
}

test("transactions are listed by state, id, producer and duration", async () => {
  const all = await json("list");
  expect(all.map((each: { transactionalId: string }) => each.transactionalId))
    .toEqual(["billing-1", "lost"]);
  const [billing] = all;
  expect(billing).toMatchObject({ state: "Ongoing", coordinator: 1 });
  for (
    const filter of [
      ["--state", "ongoing"],
      ["--id", "bill.*"],
      ["--producer-id", String(billing.producerId)],
      ["--longer", "0s"],
    ]
  ) expect(await json("list", ...filter)).toEqual([billing]);
  expect(await json("list", "--longer", "1h")).toEqual([]);
  await fails(["txn", "list", "--id", "("], 1, ["INVALID_REGULAR_EXPRESSION"], at);
  await fails(["txn", "list", "--state", "ongong"], 2, ["did you mean Ongoing"], at);
});

test("a transaction is described with what it holds back", async () => {
  const [billing] = await json("describe", "billing-1");
  expect(billing).toMatchObject({
    state: "Ongoing",
    timeoutMs: 60_000,
    partitions: [{ topic: "t", partition: 1, startOffset: 0, heldRecords: 2 }],
  });
  await fails(["txn", "describe", "biling-1"], 1, ['did you mean "billing-1"'], at);
  const topic = JSON.parse(await ok(["topic", "describe", "t", "--json"], at))[0];
  expect(topic.partitions).toMatchObject([
    { stableOffset: 2, endOffset: 5 },
    { stableOffset: 0, endOffset: 2 },
  ]);
  const text = await ok(["topic", "describe", "t"], at);
  expect(text).toContain("open transactions hold back read_committed in 2 partitions");
});

test("a hanging transaction is found and aborted past its coordinator", async () => {
  expect(await json("hanging")).toEqual([]);
  const found = await json("hanging", "--longer", "0s");
  expect(found).toMatchObject([{
    topic: "t",
    partition: 0,
    startOffset: 2,
    transactionalId: null,
  }]);
  await fails(["txn", "abort", "-p", "t:1"], 1, ["does not hang", "txn abort billing-1"], at);
  await fails(["txn", "abort", "-p", "t:0", "--start-offset", "1"], 1, ["no transaction"], at);
  const shown = await kstream(["txn", "abort", "-p", "t:0"], at);
  expect([shown.exitCode, shown.stdout]).toEqual([0, expect.stringContaining("it hangs")]);
  expect(shown.stderr).toContain("add --execute");
  expect(await json("hanging", "--longer", "0s")).toHaveLength(1);
  await ok(["txn", "abort", "-p", "t:0", "--execute"], at);
  expect(await json("hanging", "--longer", "0s")).toEqual([]);
  const [topic] = JSON.parse(await ok(["topic", "describe", "t", "--json"], at));
  expect(topic.partitions[0]).toMatchObject({ stableOffset: 6, endOffset: 6 });
});

test("a transactional id's transaction is aborted through its coordinator", async () => {
  const preview = await kstream(["txn", "abort", "billing-1"], at);
  expect([preview.exitCode, preview.stderr]).toEqual([0, expect.stringContaining("--execute")]);
  expect((await json("describe", "billing-1"))[0].state).toBe("Ongoing");
  await ok(["txn", "abort", "billing-1", "--execute"], at);
  expect((await json("describe", "billing-1"))[0]).toMatchObject({
    state: "Empty",
    partitions: [],
  });
  await fails(["txn", "abort", "billing-1"], 1, ["no open transaction", "--force"], at);
  await fails(["txn", "abort", "nobody", "--execute"], 1, ["no transactional id"], at);
  await fails(["txn", "abort"], 2, ["not said what to abort"], at);
  await fails(["txn", "abort", "x", "-p", "t:0"], 2, ["two transactions"], at);
});
