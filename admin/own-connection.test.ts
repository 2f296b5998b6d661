/** The client library over the pipe into a real broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunCodecs } from "../core/compression/bun.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { Consumer } from "../client/consumer.ts";
import { KafkaError } from "../client/errors.ts";
import { Producer } from "../client/producer.ts";
import { OwnClients } from "./own-connection.ts";

let running: RunningBroker;
let own: OwnClients;
const alice = { type: "User", name: "alice" };
const bob = { type: "User", name: "bob" };

beforeAll(async () => {
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 27 }) };
  // Whoever comes from outside may do nothing.
  const authorizer = {
    authorize: ({ name }: { readonly name: string }, _: unknown, wanted: { operation: string }) =>
      name === "alice" || name === "bob" && wanted.operation !== "CREATE",
  };
  running = await startBroker({ io, logger: silentLogger, dataDir: "/data", authorizer });
  own = new OwnClients(running);
});
afterAll(async () => {
  own.close();
  await running.stop();
});

test("what a producer writes a consumer reads, without a socket", async () => {
  const { admin, io, options } = own.of(alice);
  const [created] = await admin.createTopics([{ name: "t", partitions: 2 }]);
  expect(created?.error).toBeNull();
  const producer = new Producer(io, { ...options, codecs: bunCodecs, compression: "zstd" });
  // Large enough for several turns of the pipe, both ways.
  const values = Array.from({ length: 40 }, (_, n) => new Uint8Array(100_000).fill(n));
  await Promise.all(values.map((value) => producer.send({ topic: "t", value })));
  await producer.close();
  const consumer = new Consumer(io, { ...options, codecs: bunCodecs });
  await consumer.assign([0, 1].map((partition) => ({ topic: "t", partition, offset: 0n })));
  const read: number[] = [];
  for await (const { value } of consumer.records()) {
    read.push(value?.[0] ?? -1);
    if (read.length === values.length) break;
  }
  await consumer.close();
  expect(read.sort((a, b) => a - b)).toEqual(values.map((_, n) => n));
  expect(running.clients().every(({ address }) => address === "127.0.0.1:0")).toBe(true);
});

test("each user has its own rights, and is listed as a client by its name", async () => {
  const [created] = await own.of(bob).admin.createTopics([{ name: "u" }]);
  expect(created?.error).toBeInstanceOf(KafkaError);
  expect(own.of(bob)).toBe(own.of({ ...bob }));
  const users = running.clients().map(({ clientId, principal }) => `${clientId} ${principal}`);
  expect(users).toContain("kstream-admin User:alice");
  expect(users).toContain("kstream-admin User:bob");
});
