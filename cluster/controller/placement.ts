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
import type { MetadataImage } from "../metadata-image.ts";

/** A broker that can have replicas. */
export interface PlacementBroker {
  readonly id: number;
  /** The machine; empty: one of its own. */
  readonly host: string;
  readonly rack: string | null;
  /** Whether it is up: unfenced, and not about to stop. */
  readonly isActive: boolean;
  /** Whether it is to get nothing new. */
  readonly isCordoned: boolean;
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

/** The brokers that can have replicas. */
export function placementBrokers(image: MetadataImage): PlacementBroker[] {
  return [...image.brokers.values()].map(({ brokerId, host, rack, state }) => ({
    ...{ id: brokerId, host, rack, isActive: state === "active" },
    isCordoned: isCordoned(image, brokerId),
  }));
}

/** The machine that a broker is on. */
export function hostOf({ id, host }: Pick<PlacementBroker, "id" | "host">): string {
  return host === "" ? `broker ${id}` : host;
}

/** How many machines there are with brokers that are up and take replicas. */
export function activeHosts(image: MetadataImage): number {
  const active = placementBrokers(image).filter((each) => each.isActive && !each.isCordoned);
  return new Set(active.map(hostOf)).size;
}

/** Topics with partitions that have replicas. */
type Topics = Iterable<
  { readonly partitions: readonly { readonly replicas: readonly number[] }[] }
>;

/** In steps: what each broker has of these topics. */
export function* countLoads(topics: Topics): Steps<Map<number, BrokerLoad>> {
  const loads = new Map<number, { replicas: number; leaders: number }>();
  const of = (id: number) => {
    const known = loads.get(id);
    if (known !== undefined) return known;
    const fresh = { replicas: 0, leaders: 0 };
    loads.set(id, fresh);
    return fresh;
  };
  for (const { partitions } of topics) {
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
  /** Numbers of its host and its rack. */
  readonly hostAt: number;
  readonly rackAt: number;
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
  /** Those that new replicas may go to. */
  readonly #open: readonly Seat[];
  readonly #hosts: number;
  /** Of the replicas beside which one is chosen: how many are on each host, and in each rack. */
  readonly #onHost: Int32Array;
  readonly #inRack: Int32Array;

  /** `random` decides between brokers that have the same. */
  constructor(
    brokers: readonly PlacementBroker[],
    load: (brokerId: number) => BrokerLoad | undefined,
    random: Random,
  ) {
    const ranks = shuffled(brokers.length, random);
    const hosts = new Map<string, number>();
    const racks = new Map<string | null, number>();
    const numbered = <K>(map: Map<K, number>, key: K): number => {
      const known = map.get(key) ?? map.size;
      map.set(key, known);
      return known;
    };
    for (const [index, broker] of brokers.entries()) {
      this.#seats.set(broker.id, {
        ...broker,
        hostAt: numbered(hosts, hostOf(broker)),
        rackAt: numbered(racks, broker.rack),
        rank: ranks[index] ?? index,
        ...load(broker.id) ?? NO_LOAD,
        topicReplicas: 0,
        topicLeaders: 0,
        follows: new Map(),
      });
    }
    this.#open = [...this.#seats.values()].filter(({ isCordoned }) => !isCordoned);
    this.#hosts = new Set(this.#open.map(({ hostAt }) => hostAt)).size;
    this.#onHost = new Int32Array(hosts.size);
    this.#inRack = new Int32Array(racks.size);
  }

  /** Why there can be no partitions with so many replicas, or null. The first words are Kafka's. */
  problem(replicationFactor: number): string | null {
    const cannot =
      `The target replication factor of ${replicationFactor} cannot be reached because`;
    const count = this.#open.length;
    const closed = this.#seats.size - count;
    const cordoned = closed === 0 ? "" : `, ${closed} of them cordoned`;
    if (!this.#open.some(({ isActive }) => isActive)) {
      return closed === 0
        ? "All brokers are currently fenced."
        : "All brokers are currently fenced or cordoned.";
    }
    if (replicationFactor > count) {
      return `${cannot} only ${this.#seats.size} broker(s) are registered${cordoned}.`;
    }
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

  /** The same partition of the topic at hand with another broker for one; null if there is none up. */
  replace(present: readonly number[], gone: number): number[] | null {
    this.count(present, -1);
    const next = this.choose(present.filter((id) => id !== gone), false);
    const isUp = next !== null && this.#seats.get(next)?.isActive === true;
    const swapped = isUp ? present.map((id) => id === gone ? next : id) : null;
    const replicas = swapped !== null && present[0] === gone
      ? this.withBestLeader(swapped)
      : swapped;
    this.count(replicas ?? present, 1);
    return replicas;
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
    this.#mark(others, 1);
    const leader = others[0] ?? -1;
    let best: Seat | null = null;
    for (const seat of this.#open) {
      if (this.#onHost[seat.hostAt] !== 0 || (leads && !seat.isActive)) continue;
      const isBetter = best === null ||
        (leads ? isBetterLeader(seat, best) : this.#isBetterFollower(seat, best, leader));
      if (isBetter) best = seat;
    }
    this.#mark(others, -1);
    return best?.id ?? null;
  }

  #mark(replicas: readonly number[], by: 1 | -1): void {
    for (const id of replicas) {
      const seat = this.#seats.get(id);
      if (seat === undefined) continue;
      this.#onHost[seat.hostAt] = (this.#onHost[seat.hostAt] ?? 0) + by;
      this.#inRack[seat.rackAt] = (this.#inRack[seat.rackAt] ?? 0) + by;
    }
  }

  #isBetterFollower(a: Seat, b: Seat, leader: number): boolean {
    if (a.isActive !== b.isActive) return a.isActive;
    const racks = (this.#inRack[a.rackAt] ?? 0) - (this.#inRack[b.rackAt] ?? 0);
    if (racks !== 0) return racks < 0;
    if (a.topicReplicas !== b.topicReplicas) return a.topicReplicas < b.topicReplicas;
    const follows = (a.follows.get(leader) ?? 0) - (b.follows.get(leader) ?? 0);
    if (follows !== 0) return follows < 0;
    return a.replicas !== b.replicas ? a.replicas < b.replicas : a.rank < b.rank;
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
