/** The library's consumers of share groups. */
import { strict as assert } from "node:assert";
import { ShareConsumer, type ShareConsumerOptions, stringSerde } from "../../../client/index.ts";
import {
  configureGroup,
  eventually,
  freshName,
  freshTopic,
  type LibraryCase,
  type LibraryWorld,
  numbers,
  produceNumbers,
  sorted,
} from "./library-case.ts";

function member(
  world: LibraryWorld,
  groupId: string,
  options: Partial<ShareConsumerOptions> = {},
): ShareConsumer<Uint8Array, string> {
  return new ShareConsumer(world.io, {
    brokers: world.brokers,
    groupId,
    value: stringSerde,
    ...options,
  });
}

async function freshGroup(world: LibraryWorld): Promise<string> {
  const group = freshName(world, "share");
  await configureGroup(world, group, { "share.auto.offset.reset": "earliest" });
  return group;
}

const sharing: LibraryCase = {
  name: "members of a share group take each record once",
  async run(world) {
    const topic = await freshTopic(world, 2);
    const group = await freshGroup(world);
    const members = [1, 2, 3].map(() => {
      const consumer = member(world, group, { maxRecords: 10 });
      consumer.subscribe([topic]);
      const seen: string[] = [];
      const done = (async () => {
        for await (const { value } of consumer.records()) seen.push(value ?? "");
      })();
      return { consumer, seen, done };
    });
    const all = () => members.flatMap(({ seen }) => seen);
    for (let from = 0; from < 500; from += 50) {
      await produceNumbers(world, topic, 2, from, from + 50);
    }
    await eventually(world, "all are read", () => all().length >= 500);
    assert.deepEqual(sorted(all()), numbers(0, 500));
    for (const { consumer, done } of members) {
      assert.deepEqual(await consumer.close(), []);
      await done;
    }
  },
};

const acknowledging: LibraryCase = {
  name: "accepted, rejected, released and renewed records are treated so",
  async run(world) {
    const topic = await freshTopic(world, 1);
    const group = await freshGroup(world);
    await produceNumbers(world, topic, 1, 0, 5);
    const first = member(world, group, { acknowledgement: "explicit" });
    first.subscribe([topic]);
    const records = [];
    while (records.length < 5) records.push((await first.next())!);
    assert.deepEqual(records.map(({ value }) => value), ["0", "1", "2", "3", "4"]);
    first.acknowledge(records[0]!, "accept");
    first.acknowledge(records[1]!, "reject");
    first.acknowledge(records[2]!, "release");
    first.acknowledge(records[3]!, "renew");
    assert.deepEqual(await first.commit(), []);
    first.acknowledge(records[3]!);
    assert.deepEqual(await first.commit(), []);
    assert.equal(first.lockTimeoutMs, 30_000);
    const again = await first.next();
    assert.deepEqual([again?.value, again?.deliveryCount], ["2", 2]);
    // What is in hand at the end goes back.
    await first.close();
    const second = member(world, group);
    second.subscribe([topic]);
    const rest: string[] = [];
    for await (const { value } of second) {
      rest.push(value ?? "");
      if (rest.length === 2) break;
    }
    assert.deepEqual(rest.sort(), ["2", "4"]);
    await second.close();
  },
};

/** What every broker with share groups and every runtime has to pass. */
export const shareCases: readonly LibraryCase[] = [sharing, acknowledging];
