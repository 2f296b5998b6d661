/** The library's consumers of both group protocols. */
import { strict as assert } from "node:assert";
import {
  Consumer,
  type ConsumerOptions,
  KafkaError,
  type RebalanceListener,
  stringSerde,
} from "../../../client/index.ts";
import {
  eventually,
  freshName,
  freshTopic,
  type LibraryCase,
  type LibraryWorld,
  numbers,
  produceNumbers,
  sorted,
} from "./library-case.ts";

type Protocol = Pick<ConsumerOptions, "groupProtocol" | "assignors" | "serverAssignor">;

/** Every way to be a member of a group. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  range: { assignors: ["range"] },
  roundrobin: { assignors: ["roundrobin"] },
  sticky: { assignors: ["sticky"] },
  "cooperative-sticky": { assignors: ["cooperative-sticky"] },
  consumer: { groupProtocol: "consumer" },
  "consumer with range": { groupProtocol: "consumer", serverAssignor: "range" },
};

function member(
  world: LibraryWorld,
  groupId: string,
  options: Partial<ConsumerOptions> = {},
): Consumer<Uint8Array, string> {
  return new Consumer(world.io, {
    brokers: world.brokers,
    groupId,
    value: stringSerde,
    heartbeatIntervalMs: 300,
    autoCommitIntervalMs: 500,
    ...options,
  });
}

/** Reads as a member does until it is closed; what it saw and how partitions came and went. */
function working(consumer: Consumer<Uint8Array, string>, topics: string[] | { pattern: string }) {
  const seen: string[] = [];
  const events: string[] = [];
  const note = (what: string, partitions: readonly { topic: string; partition: number }[]) => {
    if (partitions.length === 0) return;
    events.push(`${what} ${partitions.map(({ partition }) => partition).sort().join(" ")}`);
  };
  const listener: RebalanceListener = {
    assigned: (positions) => note("assigned", positions),
    revoked: (partitions, lost) => note(lost ? "lost" : "revoked", partitions),
  };
  consumer.subscribe(topics, listener);
  const done = consumer.run({ eachRecord: ({ value }) => void seen.push(value ?? "") });
  const leave = async () => {
    await consumer.close();
    await done;
  };
  return { consumer, seen, events, leave };
}

const sharing = Object.entries(PROTOCOLS).map(([name, protocol]): LibraryCase => ({
  name: `${name}: two members share, one goes on alone, no record is missed or doubled`,
  async run(world) {
    const topic = await freshTopic(world, 4);
    const group = freshName(world, "group");
    const first = working(member(world, group, protocol), [topic]);
    await produceNumbers(world, topic, 4, 0, 100);
    await eventually(world, "first reads all", () => first.seen.length === 100);
    const second = working(member(world, group, protocol), [topic]);
    await eventually(
      world,
      "both have two",
      () => [first, second].every(({ consumer }) => consumer.assignment().length === 2),
    );
    await produceNumbers(world, topic, 4, 100, 200);
    await eventually(world, "both read", () => first.seen.length + second.seen.length === 200);
    assert.equal(second.seen.length, 50);
    await first.leave();
    await eventually(world, "the other has all", () => second.consumer.assignment().length === 4);
    await produceNumbers(world, topic, 4, 200, 300);
    await eventually(world, "it reads on", () => second.seen.length === 150);
    await second.leave();
    assert.deepEqual(sorted([...first.seen, ...second.seen]), numbers(0, 300));
  },
}));

const stopping = ["cooperative-sticky", "consumer"].map((name): LibraryCase => ({
  name: `${name}: a rebalance stops only partitions that move`,
  async run(world) {
    const topic = await freshTopic(world, 4);
    const group = freshName(world, "group");
    const first = working(member(world, group, PROTOCOLS[name]), [topic]);
    await eventually(world, "first has all", () => first.consumer.assignment().length === 4);
    const second = working(member(world, group, PROTOCOLS[name]), [topic]);
    await eventually(world, "second has two", () => second.consumer.assignment().length === 2);
    assert.equal(first.events.length, 2);
    assert.match(first.events[1]!, /^revoked \d \d$/);
    assert.equal(first.events[1]!.replace("revoked", "assigned"), second.events[0]);
    await second.leave();
    await eventually(world, "first has all again", () => first.consumer.assignment().length === 4);
    await first.leave();
    assert.equal(first.events.length, 3);
  },
}));

const returning = ["range", "consumer"].map((name): LibraryCase => ({
  name: `${name}: a static member that comes back has its partitions again, others see nothing`,
  async run(world) {
    const topic = await freshTopic(world, 4);
    const group = freshName(world, "group");
    const named = (groupInstanceId: string) =>
      working(member(world, group, { ...PROTOCOLS[name], groupInstanceId }), [topic]);
    const a = named("a");
    const b = named("b");
    await eventually(
      world,
      "both have two",
      () => [a, b].every(({ consumer }) => consumer.assignment().length === 2),
    );
    const had = JSON.stringify(a.consumer.assignment());
    const before = b.events.length;
    await a.leave();
    const again = named("a");
    await eventually(world, "it has them again", () => again.consumer.assignment().length === 2);
    assert.equal(JSON.stringify(again.consumer.assignment()), had);
    assert.equal(b.events.length, before);
    await again.leave();
    await b.leave();
  },
}));

const patterns = ["range", "consumer"].map((name): LibraryCase => ({
  name: `${name}: a pattern subscribes to what matches it whole`,
  async run(world) {
    const topic = await freshTopic(world, 1);
    await freshTopic(world, 1);
    const pattern = `${topic.slice(0, -2)}..`;
    const reader = working(member(world, freshName(world, "group"), PROTOCOLS[name]), { pattern });
    await produceNumbers(world, topic, 1, 0, 10);
    await eventually(world, "it reads", () => reader.seen.length === 10);
    assert.deepEqual(reader.consumer.assignment(), [{ topic, partition: 0 }]);
    await reader.leave();
  },
}));

const commits: LibraryCase = {
  name: "commits are kept, refused for who is no member, and read by the next",
  async run(world) {
    const topic = await freshTopic(world, 1);
    const group = freshName(world, "group");
    await produceNumbers(world, topic, 1, 0, 10);
    const first = member(world, group, { autoCommitIntervalMs: null });
    first.subscribe([topic]);
    for await (const { value } of first) {
      if (value !== "3") continue;
      await first.commit();
      break;
    }
    const stranger = member(world, group, { autoCommitIntervalMs: null });
    await assert.rejects(
      stranger.commit([{ topic, partition: 0, offset: 9n }]),
      (error) => error instanceof KafkaError && error.codeName === "UNKNOWN_MEMBER_ID",
    );
    await stranger.close();
    await first.close();
    const next = member(world, group);
    next.subscribe([topic]);
    const { value: record } = await next.records().next();
    assert.equal(record?.value, "4");
    await next.close();
  },
};

/** What every broker and runtime has to pass. */
export const consumerCases: readonly LibraryCase[] = [
  ...sharing,
  ...stopping,
  ...returning,
  ...patterns,
  commits,
];
