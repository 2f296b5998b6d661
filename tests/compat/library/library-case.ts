/**
 * The client library against any broker, on any runtime: cases that know nothing but its public API
 * and what they are given. Suites register them with the runner at hand.
 */
import { strict as assert } from "node:assert";
import { Admin, type ClientIo, Producer } from "../../../client/index.ts";
import type { HostPort } from "../../../core/io.ts";

/** A scenario; it fails by throwing. */
export interface LibraryCase {
  readonly name: string;
  run(world: LibraryWorld): Promise<void>;
}

/** A broker, and what a client on this runtime is made with. */
export interface LibraryWorld {
  readonly io: ClientIo;
  readonly brokers: readonly HostPort[];
}

/** Settings of the broker, quick enough for tests: by default a member hears of a change after 5 s. */
export const QUICK_GROUPS = {
  "group.consumer.heartbeat.interval.ms": "500",
  "group.consumer.min.heartbeat.interval.ms": "500",
  "group.share.heartbeat.interval.ms": "500",
  "group.share.min.heartbeat.interval.ms": "500",
  "group.initial.rebalance.delay.ms": "0",
};

const WAIT_MS = 60_000;
const LOOK_MS = 50;

/** A name that no other case has. */
export function freshName(world: LibraryWorld, prefix: string): string {
  const bytes = world.io.random.bytes(6);
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Creates a topic with a name of its own. */
export async function freshTopic(world: LibraryWorld, partitions: number): Promise<string> {
  const name = freshName(world, "topic");
  const admin = new Admin(world.io, { brokers: world.brokers });
  const [created] = await admin.createTopics([{ name, partitions }]);
  assert.equal(created?.error, null);
  admin.close();
  return name;
}

/** Sets configs of a group, e.g. where a share group begins. */
export async function configureGroup(
  world: LibraryWorld,
  name: string,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = new Admin(world.io, { brokers: world.brokers });
  const changes = Object.entries(configs)
    .map(([config, value]) => ({ name: config, operation: "set" as const, value }));
  await admin.incrementalAlterConfigs({ type: "group", name }, changes);
  admin.close();
}

/** Numbers `from` to `to` − 1 as text, dealt out over the partitions. */
export async function produceNumbers(
  world: LibraryWorld,
  topic: string,
  partitions: number,
  from: number,
  to: number,
): Promise<void> {
  const producer = new Producer(world.io, { brokers: world.brokers });
  const encoder = new TextEncoder();
  const sent = Array.from({ length: to - from }, (_, i) =>
    producer.send({
      topic,
      partition: (from + i) % partitions,
      value: encoder.encode(String(from + i)),
    }));
  await Promise.all(sent);
  await producer.close();
}

/** Waits until it holds. */
export async function eventually(
  world: LibraryWorld,
  what: string,
  holds: () => boolean,
): Promise<void> {
  const { clock } = world.io;
  const deadlineMs = clock.monotonicMs() + WAIT_MS;
  while (!holds()) {
    if (clock.monotonicMs() > deadlineMs) throw new Error(`not in time: ${what}`);
    await pause(world, LOOK_MS);
  }
}

/** Lets time pass. */
export function pause(world: LibraryWorld, delayMs: number): Promise<void> {
  return new Promise((resolve) => void world.io.clock.setTimer(delayMs, resolve));
}

/** The numbers of a range in order. */
export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** As `numbers` has them. */
export function sorted(values: Iterable<string | null>): number[] {
  return [...values].map(Number).sort((a, b) => a - b);
}
