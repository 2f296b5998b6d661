/**
 * Rebalances of large groups on the wire: 200 members over 400 partitions, against our binary and
 * Apache Kafka. Run as a program of its own: `bun bench/groups.ts [ROUNDS] [MEMBERS] [PARTITIONS]`
 * prints the figures as JSON.
 *
 * - classic: all members rejoin; from the last JoinGroup sent to the last SyncGroup answered.
 * - consumer (KIP-848, a heartbeat each 500 ms): a member leaves, then another joins; how many
 *   heartbeats until all members are in one epoch and every partition has one reader. As Java's,
 *   a member says at once that it has given up partitions.
 * - Processor time of the broker for one rebalance, with the heartbeats that fall into it.
 */
import { Connection } from "../core/connection.ts";
import { errorName, Errors } from "../core/errors.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunNetwork } from "../core/io/bun/network.ts";
import { findCoordinator } from "../core/protocol/10-find-coordinator.ts";
import { joinGroup } from "../core/protocol/11-join-group.ts";
import { heartbeat } from "../core/protocol/12-heartbeat.ts";
import { syncGroup } from "../core/protocol/14-sync-group.ts";
import { createTopics } from "../core/protocol/19-create-topics.ts";
import { consumerGroupHeartbeat } from "../core/protocol/68-consumer-group-heartbeat.ts";
import { encodeVersioned } from "../core/protocol/codec.ts";
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from "../core/protocol/records/consumer-protocol.ts";
import type { EncodableRequest, ResponseOf } from "../core/protocol/schema.ts";
import { cpuSeconds, spread } from "./measure.ts";
import { startKafka, startOurs, type Target } from "./targets.ts";

const TOPIC = "groups";
const HEARTBEAT_MS = 500;
const STABLE_WITHIN_MS = 60_000;
const KAFKA_PORT = 19_392;
const FORMING_HEARTBEAT_MS = 100;

const SETTINGS = {
  "group.initial.rebalance.delay.ms": "0",
  "group.consumer.min.heartbeat.interval.ms": String(HEARTBEAT_MS),
  "group.consumer.heartbeat.interval.ms": String(HEARTBEAT_MS),
};

interface Shape {
  readonly rounds: number;
  readonly members: number;
  readonly partitions: number;
}

function connect(target: Target): Promise<Connection> {
  const [host = "", port] = target.bootstrap.split(":");
  const io = { clock: bunClock, network: bunNetwork };
  return Connection.open(io, { host, port: Number(port) }, { clientId: "bench" });
}

async function prepare(target: Target, partitions: number): Promise<void> {
  const connection = await connect(target);
  await connection.request(createTopics, {
    topics: [{ name: TOPIC, numPartitions: partitions, replicationFactor: 1 }],
    timeoutMs: 30_000,
  });
  for (let attempt = 0; attempt < 100; attempt++) {
    await connection.request(findCoordinator, { coordinatorKeys: ["classic", "consumer"] });
    const beat = { groupId: "classic", memberId: "x", generationId: 1 };
    const { errorCode } = await connection.request(heartbeat, beat);
    if (errorCode === Errors.UNKNOWN_MEMBER_ID) break;
    await Bun.sleep(200);
  }
  connection.close();
}

// ---- The classic protocol.

const subscription = encodeVersioned(consumerProtocolSubscription, 3, { topics: [TOPIC] });

interface ClassicMember {
  readonly connection: Connection;
  readonly memberId: string;
  generationId: number;
  leads: boolean;
}

async function beat({ connection, memberId, generationId }: ClassicMember): Promise<number> {
  const request = { groupId: "classic", memberId, generationId };
  return (await connection.request(heartbeat, request)).errorCode;
}

const joining = (memberId: string) => ({
  groupId: "classic",
  memberId,
  sessionTimeoutMs: 45_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: subscription }],
});

/** Joins and syncs; the generation, or null if another rebalance has come between. */
async function joinAndSync(member: ClassicMember, partitions: number): Promise<number | null> {
  const { connection, memberId } = member;
  const joined = await connection.request(joinGroup, joining(memberId));
  if (joined.errorCode !== Errors.NONE) {
    throw new Error(`JoinGroup: ${errorName(joined.errorCode)}`);
  }
  const { generationId } = joined;
  member.generationId = generationId;
  member.leads = joined.members.length > 0;
  const assignments = joined.members.map((each, position) => ({
    memberId: each.memberId,
    assignment: encodeVersioned(consumerProtocolAssignment, 3, {
      assignedPartitions: [{
        topic: TOPIC,
        partitions: Array.from({ length: partitions }, (_, partition) => partition)
          .filter((partition) => partition % joined.members.length === position),
      }],
    }),
  }));
  const { errorCode } = await connection.request(syncGroup, {
    groupId: "classic",
    memberId,
    generationId,
    protocolType: "consumer",
    protocolName: "range",
    assignments,
  });
  if (errorCode === Errors.NONE) return generationId;
  if (errorCode === Errors.REBALANCE_IN_PROGRESS) return null;
  throw new Error(`SyncGroup: ${errorName(errorCode)}`);
}

/**
 * The leader rejoins, then all others, as they hear of it by their heartbeats. Milliseconds from the
 * last JoinGroup sent to the last SyncGroup answered.
 */
async function classicRebalance(
  members: readonly ClassicMember[],
  partitions: number,
): Promise<number> {
  const leader = members.find((member) => member.leads)!;
  const others = members.filter((member) => member !== leader);
  const generations = [joinAndSync(leader, partitions)];
  const [first] = others as [ClassicMember];
  while (await beat(first) === Errors.NONE) await Bun.sleep(1);
  generations.push(...others.map((member) => joinAndSync(member, partitions)));
  const start = performance.now();
  const reached = new Set(await Promise.all(generations));
  if (reached.size > 1 || reached.has(null)) throw new Error("more than one rebalance");
  return performance.now() - start;
}

/** Forms the group, whose first generations miss those whose requests came a moment later. */
async function form(members: readonly ClassicMember[], partitions: number): Promise<void> {
  const reached = new Map<ClassicMember, number>();
  const isFormed = () => reached.size === members.length && new Set(reached.values()).size === 1;
  await Promise.all(members.map(async (member) => {
    while (!isFormed()) {
      reached.delete(member);
      const generationId = await joinAndSync(member, partitions);
      if (generationId === null) continue;
      reached.set(member, generationId);
      while (!isFormed()) {
        await Bun.sleep(FORMING_HEARTBEAT_MS);
        if (await beat(member) !== Errors.NONE) break;
      }
    }
  }));
}

async function classic(target: Target, { rounds, members: count, partitions }: Shape) {
  const members: ClassicMember[] = [];
  for (let index = 0; index < count; index++) {
    const connection = await connect(target);
    const { memberId } = await connection.request(joinGroup, joining(""));
    members.push({ connection, memberId, generationId: -1, leads: false });
  }
  await form(members, partitions);
  await classicRebalance(members, partitions);
  const cpuBefore = cpuSeconds(target.pid);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    times.push(await classicRebalance(members, partitions));
  }
  const cpu = (cpuSeconds(target.pid) - cpuBefore) / rounds;
  for (const { connection } of members) connection.close();
  return { joinToSyncMs: spread(times), cpuMs: cpu * 1_000 };
}

// ---- The new protocol.

type Beat = EncodableRequest<typeof consumerGroupHeartbeat>;

/** One consumer that beats until it is stopped. */
class Member {
  epoch = 0;
  beats = 0;
  owned: readonly { topicId: string; partitions: readonly number[] }[] = [];
  #said = "[]";
  #running = true;
  #loop: Promise<void> = Promise.resolve();

  constructor(readonly connection: Connection, readonly memberId: string) {}

  get count(): number {
    return this.owned.reduce((sum, { partitions }) => sum + partitions.length, 0);
  }

  /** Joins after `delayMs`, so that members do not beat in step, and beats from then on. */
  start(delayMs: number): void {
    this.#loop = (async () => {
      await Bun.sleep(delayMs);
      while (this.#running) {
        const next = performance.now() + HEARTBEAT_MS;
        await this.#beat();
        // What was given up is said at once; that is no heartbeat of the clock.
        while (this.#running && JSON.stringify(this.owned) !== this.#said) await this.#beat();
        this.beats++;
        await Bun.sleep(Math.max(0, next - performance.now()));
      }
    })();
  }

  async leave(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await this.#send({ memberEpoch: -1 });
    this.connection.close();
  }

  #send(request: Beat): Promise<ResponseOf<typeof consumerGroupHeartbeat>> {
    const identity = { groupId: "consumer", memberId: this.memberId };
    return this.connection.request(consumerGroupHeartbeat, { ...identity, ...request });
  }

  async #beat(): Promise<void> {
    const said = JSON.stringify(this.owned);
    const joins = this.epoch === 0;
    const changed = said !== this.#said;
    const response = await this.#send({
      memberEpoch: this.epoch,
      rebalanceTimeoutMs: joins ? 60_000 : -1,
      subscribedTopicNames: joins ? [TOPIC] : null,
      topicPartitions: joins || changed ? this.owned : null,
    });
    if (response.errorCode !== Errors.NONE) {
      throw new Error(`ConsumerGroupHeartbeat: ${errorName(response.errorCode)}`);
    }
    this.#said = said;
    this.epoch = response.memberEpoch;
    if (response.assignment !== null) this.owned = response.assignment.topicPartitions;
  }
}

/** Waits until all are in one new epoch and read everything; the most heartbeats of one of them. */
async function untilStable(
  members: readonly Member[],
  partitions: number,
  epochBefore: number,
): Promise<{ ms: number; beats: number }> {
  const start = performance.now();
  const before = new Map(members.map((member) => [member, member.beats]));
  while (performance.now() - start < STABLE_WITHIN_MS) {
    const epoch = members[0]!.epoch;
    const total = members.reduce((sum, member) => sum + member.count, 0);
    // An older target may be of one epoch too, but with everything at those who were there first.
    const most = Math.ceil(partitions / members.length);
    const isStable = epoch > epochBefore && total === partitions &&
      members.every((member) => member.epoch === epoch && member.count <= most);
    if (isStable) {
      const beats = Math.max(...members.map((member) => member.beats - before.get(member)!));
      return { ms: performance.now() - start, beats };
    }
    await Bun.sleep(5);
  }
  throw new Error("the group did not become stable");
}

const epochOf = (members: readonly Member[]) => Math.max(...members.map(({ epoch }) => epoch));

async function consumer(target: Target, { rounds, members: count, partitions }: Shape) {
  const members: Member[] = [];
  for (let index = 0; index < count; index++) {
    members.push(new Member(await connect(target), `member-${index}`));
  }
  for (const [index, member] of members.entries()) member.start(index * HEARTBEAT_MS / count);
  const first = await untilStable(members, partitions, 0);
  const cpuBefore = cpuSeconds(target.pid);
  const left: { ms: number; beats: number }[] = [];
  const joined: { ms: number; beats: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    // A target is computed once in a second at most; a rebalance starts when that is over.
    await Bun.sleep(1_000);
    let epoch = epochOf(members);
    await members.shift()!.leave();
    left.push(await untilStable(members, partitions, epoch));
    await Bun.sleep(1_000);
    epoch = epochOf(members);
    const member = new Member(await connect(target), `again-${round}`);
    members.push(member);
    member.start(0);
    joined.push(await untilStable(members, partitions, epoch));
  }
  const cpu = (cpuSeconds(target.pid) - cpuBefore) / (2 * rounds);
  await Promise.all(members.map((each) => each.leave()));
  return {
    formedMs: first.ms,
    formedBeats: first.beats,
    leaveBeats: spread(left.map(({ beats }) => beats)),
    leaveMs: spread(left.map(({ ms }) => ms)),
    joinBeats: spread(joined.map(({ beats }) => beats)),
    joinMs: spread(joined.map(({ ms }) => ms)),
    cpuMs: cpu * 1_000,
  };
}

async function measure(start: () => Promise<Target>, shape: Shape) {
  const target = await start();
  try {
    await prepare(target, shape.partitions);
    return {
      target: target.name,
      classic: await classic(target, shape),
      consumer: await consumer(target, shape),
    };
  } finally {
    await target.stop();
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [rounds = 5, members = 200, partitions = 400] = args.map(Number);
  const shape = { rounds, members, partitions };
  const results = [
    await measure(() => startOurs("os", SETTINGS), shape),
    await measure(() => startOurs("fsync", SETTINGS), shape),
    await measure(() => startKafka(KAFKA_PORT, SETTINGS), shape),
  ];
  console.log(JSON.stringify({ shape, results }, null, 2));
}

await main(process.argv.slice(2));
