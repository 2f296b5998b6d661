/**
 * Where replicas go. Never two of a partition on one host; then on brokers that are up rather than on
 * fenced ones; then spread over racks; then where the topic, and after that the cluster, has least. The
 * first replica, which leads, is on a broker that is up.
 *
 * The order of Kafka's `StripedReplicaPlacer` is the same, but it knows no hosts, and counts nothing: it
 * goes round. Counting comes to the same where brokers are equal, and evens out where they are not.
 */
import type { Random } from "../../core/io.ts";
import type { Steps } from "../../core/steps.ts";
import type { BrokerImage, MetadataImage } from "../metadata-image.ts";

/** A broker that can have replicas. */
export interface PlacementBroker {
  readonly id: number;
  /** The machine; empty: one of its own. */
  readonly host: string;
  readonly rack: string | null;
  /** Whether it is up: unfenced, and not about to stop. */
  readonly isActive: boolean;
}

/** What a broker has already. */
export interface BrokerLoad {
  readonly replicas: number;
  /** Of how many partitions it is the preferred leader. */
  readonly leaders: number;
}

const NO_LOAD: BrokerLoad = { replicas: 0, leaders: 0 };

/** Nothing new goes to a broker for which this is set to it (KIP-1066). */
const ALL_DIRS = "*";

/** Whether the broker is to get no new replicas: all its directories are cordoned (KIP-1066). */
export function isCordoned(image: MetadataImage, brokerId: number): boolean {
  const dirs = image.brokerConfigs(String(brokerId)).get("cordoned.log.dirs") ?? "";
  return dirs.split(",").some((dir) => dir.trim() === ALL_DIRS);
}

/** A registered broker as one to place replicas on. */
export function placementBroker({ brokerId, host, rack, state }: BrokerImage): PlacementBroker {
  return { id: brokerId, host, rack, isActive: state === "active" };
}

/** The brokers that new replicas may go to. */
export function placementBrokers(image: MetadataImage): PlacementBroker[] {
  return [...image.brokers.values()].filter(({ brokerId }) => !isCordoned(image, brokerId))
    .map(placementBroker);
}

/** The machine that a broker is on. */
export function hostOf({ id, host }: Pick<PlacementBroker, "id" | "host">): string {
  return host === "" ? `broker ${id}` : host;
}

/** How many machines there are with brokers that are up. */
export function activeHosts(image: MetadataImage): number {
  const active = placementBrokers(image).filter(({ isActive }) => isActive);
  return new Set(active.map(hostOf)).size;
}

/** In steps: what each broker has by the metadata. */
export function* countLoads(image: MetadataImage): Steps<Map<number, BrokerLoad>> {
  const loads = new Map<number, { replicas: number; leaders: number }>();
  const of = (id: number) => {
    const known = loads.get(id);
    if (known !== undefined) return known;
    const fresh = { replicas: 0, leaders: 0 };
    loads.set(id, fresh);
    return fresh;
  };
  for (const { partitions } of image.topics.values()) {
    for (const { replicas } of partitions) {
      for (const id of replicas) of(id).replicas++;
      if (replicas[0] !== undefined) of(replicas[0]).leaders++;
    }
    yield;
  }
  return loads;
}

/** A broker with all that counts for the choice. */
interface Seat extends PlacementBroker {
  readonly hostName: string;
  /** Decides where nothing else does. */
  readonly rank: number;
  replicas: number;
  leaders: number;
  /** Of the topic at hand. */
  topicReplicas: number;
  topicLeaders: number;
  /** How often it is the next after each leader in the topic at hand: who fails leaves its work to many. */
  readonly follows: Map<number, number>;
}

/** Chooses brokers, one topic after the other, and counts what it gives them. */
export class Placement {
  readonly #seats = new Map<number, Seat>();
  readonly #hosts: number;

  /** `random` decides between brokers that have the same. */
  constructor(
    brokers: readonly PlacementBroker[],
    load: (brokerId: number) => BrokerLoad | undefined,
    random: Random,
  ) {
    const ranks = shuffled(brokers.length, random);
    for (const [index, broker] of brokers.entries()) {
      this.#seats.set(broker.id, {
        ...broker,
        hostName: hostOf(broker),
        rank: ranks[index] ?? index,
        ...load(broker.id) ?? NO_LOAD,
        topicReplicas: 0,
        topicLeaders: 0,
        follows: new Map(),
      });
    }
    this.#hosts = new Set([...this.#seats.values()].map(({ hostName }) => hostName)).size;
  }

  /** Why there can be no partitions with so many replicas, or null. The first words are Kafka's. */
  problem(replicationFactor: number): string | null {
    const cannot =
      `The target replication factor of ${replicationFactor} cannot be reached because`;
    const count = this.#seats.size;
    if (![...this.#seats.values()].some(({ isActive }) => isActive)) {
      return "All brokers are currently fenced.";
    }
    if (replicationFactor > count) return `${cannot} only ${count} broker(s) are registered.`;
    return replicationFactor > this.#hosts
      ? `${cannot} the ${count} brokers are on only ${this.#hosts} host(s).`
      : null;
  }

  /** The topic at hand is another one; it has these partitions. */
  beginTopic(present: readonly (readonly number[])[] = []): void {
    for (const seat of this.#seats.values()) {
      seat.topicReplicas = 0;
      seat.topicLeaders = 0;
      seat.follows.clear();
    }
    for (const replicas of present) this.#countTopic(replicas, 1);
  }

  /** Replicas of a new partition of the topic at hand; there must be no `problem`. */
  place(replicationFactor: number): number[] {
    const chosen: number[] = [];
    while (chosen.length < replicationFactor) {
      const next = this.choose(chosen, chosen.length === 0);
      if (next === null) break;
      chosen.push(next);
    }
    this.count(chosen, 1);
    return chosen;
  }

  /**
   * The same partition of the topic at hand with more replicas, as far as there are hosts that are up. The
   * one of all that leads least becomes the first.
   */
  extend(present: readonly number[], replicationFactor: number): number[] {
    const replicas = [...present];
    while (replicas.length < replicationFactor) {
      const next = this.choose(replicas, false);
      if (next === null || this.#seats.get(next)?.isActive !== true) break;
      replicas.push(next);
    }
    if (replicas.length === present.length) return replicas;
    this.count(present, -1);
    const led = this.withBestLeader(replicas);
    this.count(led, 1);
    return led;
  }

  /** The same replicas in another order: the one that leads least, of those that are up, comes first. */
  withBestLeader(replicas: readonly number[]): number[] {
    let best: Seat | null = null;
    for (const id of replicas) {
      const seat = this.#seats.get(id);
      if (seat?.isActive === true && (best === null || leadsLess(seat, best))) best = seat;
    }
    if (best === null) return [...replicas];
    const { id: first } = best;
    return [first, ...replicas.filter((id) => id !== first)];
  }

  /**
   * The best further replica beside `others`, or null if there is no host left for it. `leads`: it is to
   * be the first one.
   */
  choose(others: readonly number[], leads: boolean): number | null {
    const taken = others.flatMap((id) => this.#seats.get(id) ?? []);
    const isBetter = leads ? isBetterLeader : isBetterFollower;
    let best: Seat | null = null;
    for (const seat of this.#seats.values()) {
      if (leads && !seat.isActive) continue;
      if (others.includes(seat.id)) continue;
      if (taken.some(({ hostName }) => hostName === seat.hostName)) continue;
      if (best === null || isBetter(seat, best, taken)) best = seat;
    }
    return best?.id ?? null;
  }

  /** Counts a partition of the topic at hand that is new (1) or gone (−1). */
  count(replicas: readonly number[], by: 1 | -1): void {
    this.#countTopic(replicas, by);
    for (const [index, id] of replicas.entries()) {
      const seat = this.#seats.get(id);
      if (seat === undefined) continue;
      seat.replicas += by;
      if (index === 0) seat.leaders += by;
    }
  }

  #countTopic(replicas: readonly number[], by: 1 | -1): void {
    const [leader = -1] = replicas;
    for (const [index, id] of replicas.entries()) {
      const seat = this.#seats.get(id);
      if (seat === undefined) continue;
      seat.topicReplicas += by;
      if (index === 0) seat.topicLeaders += by;
      if (index === 1) seat.follows.set(leader, (seat.follows.get(leader) ?? 0) + by);
    }
  }
}

function isBetterLeader(a: Seat, b: Seat): boolean {
  return (a.topicLeaders - b.topicLeaders || a.topicReplicas - b.topicReplicas ||
    a.leaders - b.leaders || a.replicas - b.replicas || a.rank - b.rank) < 0;
}

function leadsLess(a: Seat, b: Seat): boolean {
  return (a.topicLeaders - b.topicLeaders || a.leaders - b.leaders || a.rank - b.rank) < 0;
}

function isBetterFollower(a: Seat, b: Seat, taken: readonly Seat[]): boolean {
  if (a.isActive !== b.isActive) return a.isActive;
  const inRack = (seat: Seat) => taken.filter(({ rack }) => rack === seat.rack).length;
  const leader = taken[0]?.id ?? -1;
  const follows = (seat: Seat) => seat.follows.get(leader) ?? 0;
  return (inRack(a) - inRack(b) || a.topicReplicas - b.topicReplicas ||
    follows(a) - follows(b) || a.replicas - b.replicas || a.rank - b.rank) < 0;
}

/** The numbers below `count` in random order. */
function shuffled(count: number, random: Random): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = random.below(at + 1);
    const kept = numbers[at] ?? 0;
    numbers[at] = numbers[other] ?? 0;
    numbers[other] = kept;
  }
  return numbers;
}
