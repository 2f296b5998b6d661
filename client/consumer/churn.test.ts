/**
 * Members of a group that come, leave, crash, fall silent and lose their connections, against a whole
 * broker on virtual time: no partition has two owners at once, and no record is skipped. More seeds:
 * `KSTREAM_CHURN_SEEDS=1000 bun test client/consumer/churn.test.ts`.
 */
import { expect, test } from "bun:test";
import { ClientWorld, type SimClientIo } from "../../tests/sim/client-world.ts";
import { Consumer, type ConsumerOptions } from "../consumer.ts";
import { partitionKey, type TopicPartition } from "../group-protocol.ts";

const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 1);
const FIRST_SEED = Number(process.env["KSTREAM_CHURN_FIRST"] ?? 1);
const PARTITIONS = 12;
const MEMBERS_MAX = 8;
const ROUNDS = 25;
const SESSION_MS = 10_000;

type Protocol = Pick<ConsumerOptions, "groupProtocol" | "assignors">;

const PROTOCOLS: Readonly<Record<string, readonly Protocol[]>> = {
  eager: [{ assignors: ["range", "roundrobin"] }],
  sticky: [{ assignors: ["sticky"] }],
  cooperative: [{ assignors: ["cooperative-sticky"] }],
  consumer: [{ groupProtocol: "consumer" }],
  // As in an upgrade: the broker serves both in one group (KIP-848).
  mixed: [{ groupProtocol: "consumer" }, { assignors: ["range"] }],
};

interface Member {
  readonly name: string;
  readonly consumer: Consumer;
  readonly io: SimClientIo;
  readonly running: Promise<void>;
}

class Churn {
  readonly world: ClientWorld;
  readonly members: Member[] = [];
  readonly owners = new Map<string, string>();
  readonly seen = new Map<string, number>();
  readonly trouble: string[] = [];
  readonly #left = new Set<string>();
  #next = 0;

  constructor(readonly seed: number, readonly protocols: readonly Protocol[]) {
    this.world = new ClientWorld(seed, { t: PARTITIONS }, {
      "group.consumer.session.timeout.ms": String(SESSION_MS),
      "group.consumer.heartbeat.interval.ms": "1000",
      "group.consumer.min.heartbeat.interval.ms": "1000",
      "group.consumer.min.session.timeout.ms": String(SESSION_MS),
    });
  }

  join(): void {
    const { random, clock, brokers } = this.world;
    const name = `m${this.#next++}`;
    const io = this.world.clientIo();
    const consumer = new Consumer(io, {
      brokers,
      groupId: "g",
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 1000,
      autoCommitIntervalMs: random.pick([200, 1000, 5000]),
      requestTimeoutMs: 3000,
      ...random.pick(this.protocols),
    });
    consumer.subscribe(["t"], {
      assigned: (partitions) => this.#assigned(name, partitions),
      revoked: (partitions) => this.gone(name, partitions),
    });
    const running = (async () => {
      for (;;) {
        try {
          await consumer.run({
            eachRecord: async ({ value }) => {
              if (random.chance(10)) {
                const waitMs = random.below(500);
                await new Promise<void>((resolve) => void clock.setTimer(waitMs, resolve));
              }
              const text = new TextDecoder().decode(value ?? undefined);
              this.seen.set(text, (this.seen.get(text) ?? 0) + 1);
            },
          }, { concurrency: 2 });
          return;
        } catch (error) {
          // A member that is cut off hears of it, and goes on when it is healed.
          if (!(error instanceof Error)) throw error;
        }
      }
    })();
    this.members.push({ name, consumer, io, running });
  }

  #assigned(name: string, partitions: readonly TopicPartition[]): void {
    if (this.#left.has(name)) return;
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      const owner = this.owners.get(key);
      if (owner !== undefined) this.trouble.push(`${name} gets ${key}, which ${owner} has`);
      this.owners.set(key, name);
    }
  }

  gone(name: string, partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      if (this.owners.get(key) === name) this.owners.delete(key);
    }
  }

  leave(): void {
    const { clock, random } = this.world;
    const [member] = this.members.splice(random.below(this.members.length), 1);
    if (member === undefined) return;
    const { name, consumer, io, running } = member;
    const forget = () => {
      this.#left.add(name);
      for (const [key, owner] of [...this.owners]) if (owner === name) this.owners.delete(key);
    };
    if (random.chance(60)) {
      const closing = consumer.close().catch(() => {});
      // From then on it works on nothing, however long its farewell takes.
      running.then(forget, forget);
      clock.run(Promise.all([closing, running]));
    } else {
      // As a crash: nobody hears of it but by the session's end.
      io.network.isolate();
      forget();
      void consumer.close().catch(() => {});
    }
  }

  trip(): void {
    const { random } = this.world;
    const member = random.pick(this.members);
    if (random.chance(70)) return member.io.network.breakAll();
    member.io.network.isolate();
    this.world.clock.setTimer(random.below(2 * SESSION_MS), () => member.io.network.heal());
  }

  run(): void {
    const { world } = this;
    const { random, clock } = world;
    let produced = 0;
    this.join();
    for (let round = 0; round < ROUNDS; round++) {
      const what = random.below(100);
      if (this.members.length === 0 || (what < 35 && this.members.length < MEMBERS_MAX)) {
        this.join();
      } else if (what < 60) this.leave();
      else if (what < 80) this.trip();
      const count = random.between(1, 40);
      clock.run(world.produce("t", PARTITIONS, produced, count));
      produced += count;
      clock.advance(random.below(random.pick([500, 5000, 15_000])));
    }
    if (this.members.length === 0) this.join();
    clock.advance(200_000);
    expect(this.trouble).toEqual([]);
    expect(this.owners.size).toBe(PARTITIONS);
    const missing = Array.from({ length: produced }, (_, i) => String(i))
      .filter((each) => !this.seen.has(each));
    expect(missing).toEqual([]);
    clock.run(Promise.all(this.members.map(({ consumer }) => consumer.close())));
    world.stop();
  }
}

for (const [name, protocols] of Object.entries(PROTOCOLS)) {
  test(`${name}: one owner at a time, and no record skipped`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        new Churn(seed, protocols).run();
      } catch (error) {
        throw new Error(`seed ${seed}: ${error}`, { cause: error });
      }
    }
  }, 3_600_000);
}
