/** Members of groups against a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { ClientWorld, type SimClientIo } from "../../tests/sim/client-world.ts";
import { Consumer, type ConsumerOptions, type RebalanceListener } from "../consumer.ts";
import { partitionKey, type TopicPartition } from "../group-protocol.ts";

/** Who owns what, by the members' own listeners. Two owners of one partition are an error. */
class Ownership {
  readonly owners = new Map<string, string>();
  readonly events: string[] = [];

  listener(member: string): RebalanceListener {
    return {
      assigned: (positions) => {
        for (const { topic, partition } of positions) {
          const key = partitionKey(topic, partition);
          const owner = this.owners.get(key);
          if (owner !== undefined) throw new Error(`${member} gets ${key}, which ${owner} has`);
          this.owners.set(key, member);
        }
        this.#note(member, "+", positions);
      },
      revoked: (partitions, lost) => {
        this.gone(member, partitions);
        this.#note(member, lost ? "lost" : "-", partitions);
      },
    };
  }

  gone(member: string, partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      if (this.owners.get(key) === member) this.owners.delete(key);
    }
  }

  counts(): number[] {
    return [...Map.groupBy(this.owners.values(), (owner) => owner).values()]
      .map((list) => list.length).sort();
  }

  #note(member: string, what: string, partitions: readonly TopicPartition[]): void {
    const text = partitions.map(({ topic, partition }) => `${topic}${partition}`).sort().join(" ");
    if (text !== "") this.events.push(`${member} ${what} ${text}`);
  }
}

type Protocol = Pick<ConsumerOptions, "groupProtocol" | "assignors" | "groupInstanceId">;

const EAGER: Protocol = { groupProtocol: "classic" };
const COOPERATIVE: Protocol = { groupProtocol: "classic", assignors: ["cooperative-sticky"] };
const MODERN: Protocol = { groupProtocol: "consumer" };

function setUp(partitions: number) {
  const world = new ClientWorld(1, { t: partitions });
  const ownership = new Ownership();
  const members = new Map<string, { consumer: Consumer; io: SimClientIo; values: string[] }>();
  const join = (name: string, protocol: Protocol, options: Partial<ConsumerOptions> = {}) => {
    const io = world.clientIo();
    const consumer = new Consumer(io, {
      brokers: world.brokers,
      groupId: "g",
      heartbeatIntervalMs: 500,
      autoCommitIntervalMs: 1000,
      ...protocol,
      ...options,
    });
    const values: string[] = [];
    consumer.subscribe(["t"], ownership.listener(name));
    consumer.run({
      eachRecord: ({ value }) => void values.push(new TextDecoder().decode(value ?? undefined)),
    }).catch((error: unknown) => ownership.events.push(`${name} ${error}`));
    const member = { consumer, io, values };
    members.set(name, member);
    return member;
  };
  const leave = (name: string) => {
    const { consumer } = members.get(name)!;
    ownership.gone(name, consumer.assignment());
    world.clock.run(consumer.close());
  };
  return { world, ownership, join, leave, members };
}

for (const [name, protocol] of Object.entries({ EAGER, COOPERATIVE, MODERN })) {
  test(`${name}: members share partitions, and each record comes once through joins and leaves`, () => {
    const { world, ownership, join, leave, members } = setUp(6);
    join("a", protocol);
    world.clock.advance(10_000);
    expect(ownership.counts()).toEqual([6]);
    world.clock.run(world.produce("t", 6, 0, 60));
    join("b", protocol);
    world.clock.advance(20_000);
    expect(ownership.counts()).toEqual([3, 3]);
    world.clock.run(world.produce("t", 6, 60, 60));
    join("c", protocol);
    world.clock.advance(20_000);
    expect(ownership.counts()).toEqual([2, 2, 2]);
    world.clock.run(world.produce("t", 6, 120, 60));
    world.clock.advance(3000);
    leave("a");
    world.clock.advance(20_000);
    expect(ownership.counts()).toEqual([3, 3]);
    world.clock.run(world.produce("t", 6, 180, 60));
    world.clock.advance(3000);
    const values = [...members.values()].flatMap((member) => member.values).map(Number);
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 240 }, (_, i) => i));
    leave("b");
    leave("c");
    expect(ownership.events.filter((event) => event.includes("Error"))).toEqual([]);
    world.stop();
  });
}

for (const [name, protocol] of Object.entries({ EAGER, COOPERATIVE, MODERN })) {
  test(`${name}: nobody waits for one who left while joining`, () => {
    const { world, ownership, join, leave } = setUp(2);
    join("a", protocol);
    world.clock.advance(10_000);
    // Whenever it is: the broker may have given it an id that it has not heard of.
    for (let ms = 0; ms < 40; ms++) {
      join("early", protocol);
      world.clock.advance(ms);
      leave("early");
      join("b", protocol);
      world.clock.advance(8000);
      expect([ms, ...ownership.counts()]).toEqual([ms, 1, 1]);
      leave("b");
      world.clock.advance(8000);
      expect([ms, ...ownership.counts()]).toEqual([ms, 2]);
    }
    leave("a");
    world.stop();
  });
}

for (const [name, protocol] of Object.entries({ COOPERATIVE, MODERN })) {
  test(`${name}: a rebalance stops only partitions that move`, () => {
    const { world, ownership, join, leave } = setUp(4);
    join("a", protocol);
    world.clock.advance(10_000);
    ownership.events.length = 0;
    join("b", protocol);
    world.clock.advance(20_000);
    expect(ownership.events.length).toBe(2);
    expect(ownership.events[0]).toMatch(/^a - t\d t\d$/);
    expect(ownership.events[1]).toBe(ownership.events[0]!.replace("a -", "b +"));
    ownership.events.length = 0;
    leave("b");
    world.clock.advance(20_000);
    expect(ownership.events.length).toBe(1);
    expect(ownership.events[0]).toMatch(/^a \+ t\d t\d$/);
    leave("a");
    world.stop();
  });
}

for (const [name, protocol] of Object.entries({ COOPERATIVE, MODERN })) {
  test(`${name}: who lost a partition gets it back when its handler is done, not before`, () => {
    const world = new ClientWorld(1, { t: 1 });
    const io = world.clientIo();
    const consumer = new Consumer(io, {
      ...{ brokers: world.brokers, groupId: "g", ...protocol },
      // It ends here long before it ends for the broker, where the member stays the same.
      ...{ sessionTimeoutMs: 6000, heartbeatIntervalMs: 500, revokePatienceMs: 60_000 },
    });
    const events: string[] = [];
    consumer.subscribe(["t"], {
      assigned: () => void events.push("assigned"),
      revoked: (_, lost) => void events.push(lost ? "lost" : "revoked"),
    });
    consumer.run({
      eachRecord: async () => {
        events.push("begin");
        await sleep(io.clock, 20_000);
        events.push("end");
      },
    }).catch((error: unknown) => events.push(String(error)));
    world.clock.run(world.produce("t", 1, 0, 1));
    world.clock.advance(5000);
    io.network.isolate();
    world.clock.advance(9000);
    io.network.heal();
    world.clock.advance(30_000);
    expect(events.slice(0, 5)).toEqual(["assigned", "begin", "lost", "end", "assigned"]);
    world.clock.run(consumer.close());
    world.stop();
  });
}
