import { expect, test } from "bun:test";
import { ProducerBatch } from "./batch.ts";
import { resolveProducerOptions } from "./options.ts";
import { PartitionQueue } from "./partition-queue.ts";

const LENGTH = 10_000;

/** A queue of batches that were begun a millisecond after one another, from 0 on. */
function queueOf(length: number): PartitionQueue {
  const options = resolveProducerOptions({ brokers: [{ host: "h", port: 1 }] });
  const queue = new PartitionQueue("t", 0);
  for (let i = 0; i < length; i++) {
    queue.open = new ProducerBatch(options, i, 64);
    queue.open.append(0, null, new Uint8Array(1), undefined, undefined, 0);
    queue.closeOpen();
  }
  return queue;
}

test("a long queue is not gone through where nothing has waited too long", () => {
  const queue = queueOf(LENGTH);
  let looked = 0;
  const dropped = queue.dropPending(() => {
    looked++;
    return false;
  });
  expect([dropped, looked]).toEqual([[], 1]);
});

test("what has waited too long is dropped, the oldest first, and the others stay in order", () => {
  const queue = queueOf(5);
  const dropped = queue.dropPending(({ createdMs }) => createdMs < 3);
  expect(dropped.map(({ createdMs }) => createdMs)).toEqual([0, 1, 2]);
  const rest = [queue, queue].map((each) => each.take(null, (stale) => stale).createdMs);
  expect([...rest, queue.sendable]).toEqual([3, 4, null]);
});

test("no more is sent ahead of an answer than a broker remembers", () => {
  const queue = queueOf(9);
  const take = () => queue.take({ producerId: 7, epoch: 0 }, (stale) => stale);
  queue.acknowledged(take());
  const [silent, ...others] = [1, 2, 3, 4, 5].map(take);
  expect(queue.sendable).toBeNull();
  for (const other of others) queue.acknowledged(other);
  expect(queue.sendable).toBeNull();
  queue.acknowledged(silent!);
  expect(queue.sendable?.createdMs).toBe(6);
});

test("the first batch of an identity flies alone: no leader may see the second one first", () => {
  const queue = queueOf(4);
  const identity = { producerId: 7, epoch: 0 };
  const take = () => queue.take(identity, ({ producerId }) => ({ producerId, epoch: 1 }));
  const first = take();
  expect(queue.sendable).toBeNull();
  queue.retry(first);
  expect(take()).toBe(first);
  queue.acknowledged(first);
  const second = take();
  expect(queue.sendable?.createdMs).toBe(2);
  queue.abandoned(second);
  expect(take().createdMs).toBe(2);
  expect(queue.sendable).toBeNull();
});
