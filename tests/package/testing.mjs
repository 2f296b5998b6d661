// `kstream/testing` as users of the npm package have it, on Bun.
import { expect, test } from "bun:test";
import { Consumer, Producer } from "kstream";
import { startBroker } from "kstream/testing";

test("a broker in this process takes records, faults and another time", async () => {
  await using broker = await startBroker({ topics: ["orders"] });
  const { brokers } = broker;
  broker.faults.add({ api: "Produce", error: "NOT_LEADER_OR_FOLLOWER", times: 1 });
  const producer = new Producer({ brokers, compression: "zstd" });
  await producer.send({ topic: "orders", key: "7", value: "tea" });
  await producer.close();
  expect(broker.faults.list()[0]).toMatchObject({ struck: 1 });
  expect(broker.topics.offsets("orders")).toEqual({ start: 0, end: 1 });

  const consumer = new Consumer({ brokers });
  await consumer.assign([{ topic: "orders", partition: 0, offset: 0n }]);
  for await (const { value } of consumer) {
    expect(value).toEqual(new TextEncoder().encode("tea"));
    break;
  }
  await consumer.close();

  await broker.clock.advance(8 * 86_400_000);
  expect(broker.topics.offsets("orders")).toEqual({ start: 1, end: 1 });
});

test("it tells what it does not take", async () => {
  await expect(startBroker({ config: { "num.partition": "1" } })).rejects.toThrow(
    "num.partitions",
  );
});
