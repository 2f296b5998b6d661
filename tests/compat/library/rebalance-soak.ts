/**
 * Thirty members that join and leave at random over sixty partitions while records keep coming: no
 * partition has two owners at once, and no record is skipped.
 */
import { strict as assert } from "node:assert";
import { Consumer, type ConsumerOptions, Producer, stringSerde } from "../../../client/index.ts";
import {
  eventually,
  freshName,
  freshTopic,
  type LibraryWorld,
  numbers,
  pause,
} from "./library-case.ts";

const PARTITIONS = 60;
const MEMBERS_MAX = 30;

interface Member {
  readonly name: string;
  readonly consumer: Consumer<Uint8Array, string>;
  readonly done: Promise<void>;
}

/** What a soak counted. */
export interface SoakResult {
  readonly records: number;
  readonly joins: number;
  readonly leaves: number;
  /** Records that came more than once, as they may after a hard rebalance. */
  readonly repeated: number;
}

class Soak {
  readonly #owners = new Map<number, string>();
  readonly #seen = new Map<number, number>();
  readonly #trouble: string[] = [];
  readonly #members: Member[] = [];
  readonly #group: string;
  #produced = 0;
  joins = 0;
  leaves = 0;

  constructor(
    readonly world: LibraryWorld,
    readonly topic: string,
    readonly protocols: readonly Partial<ConsumerOptions>[],
  ) {
    this.#group = freshName(world, "soak");
  }

  async run(forMs: number): Promise<SoakResult> {
    const { clock, random } = this.world.io;
    const endMs = clock.monotonicMs() + forMs;
    const producing = this.#produceUntil(endMs);
    while (this.#members.length < MEMBERS_MAX / 2) this.#join();
    while (clock.monotonicMs() < endMs) {
      const joins = random.below(2) === 0;
      if (this.#members.length < 2 || (joins && this.#members.length < MEMBERS_MAX)) this.#join();
      else await this.#leave();
      await pause(this.world, random.below(600));
    }
    await producing;
    await eventually(
      this.world,
      "all is read",
      () => this.#seen.size === this.#produced || this.#trouble.length > 0,
    );
    const all = numbers(0, this.#produced);
    assert.deepEqual(all.filter((number) => !this.#seen.has(number)), []);
    while (this.#members.length > 0) await this.#leave();
    assert.deepEqual(this.#trouble, []);
    const repeated = [...this.#seen.values()].filter((times) => times > 1).length;
    return { records: this.#produced, joins: this.joins, leaves: this.leaves, repeated };
  }

  async #produceUntil(endMs: number): Promise<void> {
    const { clock, random } = this.world.io;
    const producer = new Producer(this.world.io, { brokers: this.world.brokers });
    const encoder = new TextEncoder();
    while (clock.monotonicMs() < endMs) {
      const sent = Array.from({ length: random.below(200) }, () => {
        const number = this.#produced++;
        const value = encoder.encode(String(number));
        return producer.send({ topic: this.topic, partition: number % PARTITIONS, value });
      });
      await Promise.all(sent);
      await pause(this.world, 50);
    }
    await producer.close();
  }

  #join(): void {
    const { io, brokers } = this.world;
    const name = `m${this.joins++}`;
    const consumer = new Consumer(io, {
      brokers,
      groupId: this.#group,
      value: stringSerde,
      heartbeatIntervalMs: 300,
      autoCommitIntervalMs: 500,
      ...this.protocols[io.random.below(this.protocols.length)]!,
    });
    consumer.subscribe([this.topic], {
      assigned: (partitions) => {
        for (const { partition } of partitions) {
          const owner = this.#owners.get(partition);
          if (owner !== undefined) this.#trouble.push(`${name} gets ${partition} of ${owner}`);
          this.#owners.set(partition, name);
        }
      },
      revoked: (partitions, lost) => {
        if (lost) this.#trouble.push(`${name} loses ${partitions.length} partitions`);
        for (const { partition } of partitions) this.#forget(name, partition);
      },
    });
    const done = consumer.run({
      eachRecord: ({ value }) => {
        const number = Number(value);
        this.#seen.set(number, (this.#seen.get(number) ?? 0) + 1);
      },
    }, { concurrency: 4 }).catch((error: unknown) => void this.#trouble.push(`${name}: ${error}`));
    this.#members.push({ name, consumer, done });
  }

  async #leave(): Promise<void> {
    const at = this.world.io.random.below(this.#members.length);
    const [member] = this.#members.splice(at, 1);
    if (member === undefined) return;
    this.leaves++;
    // The broker gives its partitions away before `close` has heard that it has left.
    for (const { partition } of member.consumer.assignment()) this.#forget(member.name, partition);
    await member.consumer.close();
    await member.done;
    for (const partition of numbers(0, PARTITIONS)) this.#forget(member.name, partition);
  }

  #forget(name: string, partition: number): void {
    if (this.#owners.get(partition) === name) this.#owners.delete(partition);
  }
}

/** Runs the soak with members of these kinds mixed. */
export async function rebalanceSoak(
  world: LibraryWorld,
  protocols: readonly Partial<ConsumerOptions>[],
  forMs: number,
): Promise<SoakResult> {
  const topic = await freshTopic(world, PARTITIONS);
  return await new Soak(world, topic, protocols).run(forMs);
}
