/**
 * Reassignments that somebody wants of a whole cluster: everything off a broker, or the same load for
 * all. Pure functions of where the replicas are, so that a command can use them on any cluster; hosts and
 * racks are kept as `placement.ts` has them, and nothing moves that need not.
 */
import type { Random } from "../../core/io.ts";
import type { Steps } from "../../core/steps.ts";
import type { MetadataImage } from "../metadata-image.ts";
import { stateOf } from "./partition-change.ts";
import {
  countLoads,
  hostOf,
  Placement,
  type PlacementBroker,
  placementBrokers,
} from "./placement.ts";
import { isReassigning, targetOf } from "./reassignment.ts";

/** A partition: where it is, or will be when what is under way is done. */
export interface PlacedPartition {
  readonly replicas: readonly number[];
  /** Whether it is being reassigned. */
  readonly isMoving: boolean;
}

/** A topic with its partitions by index. */
export interface PlacedTopic {
  readonly name: string;
  readonly partitions: readonly PlacedPartition[];
}

/** Where everything is. */
export interface ClusterView {
  readonly brokers: readonly PlacementBroker[];
  readonly topics: readonly PlacedTopic[];
}

/** The same of the metadata, in steps. */
export function* clusterView(image: MetadataImage): Steps<ClusterView> {
  const topics: PlacedTopic[] = [];
  for (const { name, partitions } of image.topics.values()) {
    const placed = partitions.map((partition) => ({
      replicas: targetOf(stateOf(partition)),
      isMoving: isReassigning(partition),
    }));
    topics.push({ name, partitions: placed });
    yield;
  }
  return { brokers: placementBrokers(image), topics };
}

/** A partition that is to have these replicas. */
export interface Move {
  readonly topic: string;
  readonly partition: number;
  readonly replicas: readonly number[];
}

/** What comes of a wish, as far as it can be. */
export interface MovePlan {
  readonly moves: readonly Move[];
  /** Partitions that stay as they are, as there is no host that is up and has none of their replicas. */
  readonly stuck: readonly { readonly topic: string; readonly partition: number }[];
}

/** In steps: moves all that is on the broker to others. It may be gone already. */
export function* drainPlan(
  { brokers: all, topics }: ClusterView,
  brokerId: number,
  random: Random,
): Steps<MovePlan> {
  const loads = yield* countLoads(topics);
  const brokers = all
    .map((each) => each.id === brokerId ? { ...each, isCordoned: true } : each);
  const placement = new Placement(brokers, (id) => loads.get(id), random);
  const moves: Move[] = [];
  const stuck: { topic: string; partition: number }[] = [];
  for (const { name: topic, partitions } of topics) {
    yield;
    const targets = partitions.map(({ replicas }) => replicas);
    if (!targets.some((target) => target.includes(brokerId))) continue;
    placement.beginTopic(targets);
    for (const [partition, target] of targets.entries()) {
      if (!target.includes(brokerId)) continue;
      const replicas = placement.replace(target, brokerId);
      if (replicas === null) stuck.push({ topic, partition });
      else moves.push({ topic, partition, replicas });
    }
  }
  return { moves, stuck };
}

/**
 * In steps: gives these topics so many replicas. Further ones are placed as those of new partitions are;
 * the last ones go where there are too many.
 */
export function* factorPlan(
  { brokers, topics }: ClusterView,
  names: ReadonlySet<string>,
  replicationFactor: number,
  random: Random,
): Steps<MovePlan> {
  const loads = yield* countLoads(topics);
  const placement = new Placement(brokers, (id) => loads.get(id), random);
  const moves: Move[] = [];
  const stuck: { topic: string; partition: number }[] = [];
  for (const { name: topic, partitions } of topics) {
    if (!names.has(topic)) continue;
    placement.beginTopic(partitions.map(({ replicas }) => replicas));
    for (const [partition, { replicas: before }] of partitions.entries()) {
      const replicas = before.length > replicationFactor
        ? before.slice(0, replicationFactor)
        : placement.extend(before, replicationFactor);
      if (replicas.length !== replicationFactor) stuck.push({ topic, partition });
      else if (replicas.length !== before.length) moves.push({ topic, partition, replicas });
    }
    yield;
  }
  return { moves, stuck };
}

/** A broker that takes part in a rebalance. */
interface Share {
  readonly id: number;
  readonly host: string;
  readonly rack: string | null;
  replicas: number;
  leaders: number;
}

/** How often all partitions are gone over, at most. */
const PASSES_MAX = 5;

/**
 * In steps: few moves after which brokers that are up have about as many replicas, and are the preferred
 * leader as often, as each other. What is being reassigned stays as it is.
 */
export function* rebalancePlan({ brokers, topics }: ClusterView): Steps<Move[]> {
  const loads = yield* countLoads(topics);
  const shares = new Map(
    brokers.filter(({ isActive, isCordoned }) => isActive && !isCordoned)
      .map((broker): [number, Share] => [broker.id, {
        ...{ id: broker.id, host: hostOf(broker), rack: broker.rack },
        ...{ replicas: 0, leaders: 0, ...loads.get(broker.id) },
      }]),
  );
  const moved = new Map<PlacedPartition, readonly number[]>();
  const replicasOf = (partition: PlacedPartition) => moved.get(partition) ?? partition.replicas;
  // The first time, no topic has more than its share moved to one broker.
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const before = moved.size;
    for (const topic of topics) {
      evenReplicas(topic, shares, moved, pass === 0);
      yield;
    }
    if (pass > 0 && moved.size === before) break;
  }
  for (let pass = 0, isChanged = true; pass < PASSES_MAX && isChanged; pass++) {
    isChanged = false;
    for (const topic of topics) {
      for (const partition of topic.partitions) {
        if (partition.isMoving) continue;
        const replicas = withLighterLeader(replicasOf(partition), shares);
        if (replicas === null) continue;
        moved.set(partition, replicas);
        isChanged = true;
      }
      yield;
    }
  }
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.flatMap((placed, partition): Move | readonly [] => {
      const replicas = moved.get(placed);
      const isOther = replicas?.some((id, index) => placed.replicas[index] !== id) === true;
      return replicas !== undefined && isOther ? { topic, partition, replicas } : [];
    })
  );
}

/** Moves replicas of the topic from brokers that have more to such that have two less or more. */
function evenReplicas(
  { partitions }: PlacedTopic,
  shares: ReadonlyMap<number, Share>,
  moved: Map<PlacedPartition, readonly number[]>,
  isFairToTopic: boolean,
): void {
  const ofTopic = new Map<number, number>();
  let total = 0;
  for (const partition of partitions) {
    for (const id of moved.get(partition) ?? partition.replicas) {
      ofTopic.set(id, (ofTopic.get(id) ?? 0) + 1);
      total++;
    }
  }
  const fair = isFairToTopic ? Math.ceil(total / Math.max(1, shares.size)) : Infinity;
  for (const partition of partitions) {
    if (partition.isMoving) continue;
    for (const id of moved.get(partition) ?? partition.replicas) {
      const from = shares.get(id);
      if (from === undefined) continue;
      const replicas = moved.get(partition) ?? partition.replicas;
      const isOpen = (share: Share) => (ofTopic.get(share.id) ?? 0) < fair;
      const to = lightest(replicas, from, shares, isOpen);
      if (to === null) continue;
      moved.set(partition, replicas.map((each) => each === id ? to.id : each));
      from.replicas--;
      to.replicas++;
      if (replicas[0] === id) {
        from.leaders--;
        to.leaders++;
      }
      ofTopic.set(id, (ofTopic.get(id) ?? 0) - 1);
      ofTopic.set(to.id, (ofTopic.get(to.id) ?? 0) + 1);
    }
  }
}

/** Who can take a replica over without harm to hosts and racks, and has the least. */
function lightest(
  replicas: readonly number[],
  from: Share,
  shares: ReadonlyMap<number, Share>,
  isOpen: (share: Share) => boolean,
): Share | null {
  const others = replicas.filter((id) => id !== from.id).flatMap((id) => shares.get(id) ?? []);
  const inRack = (rack: string | null) => others.filter((other) => other.rack === rack).length;
  const before = inRack(from.rack);
  let best: Share | null = null;
  for (const share of shares.values()) {
    if (share.replicas > from.replicas - 2 || replicas.includes(share.id) || !isOpen(share)) {
      continue;
    }
    if (best !== null && best.replicas <= share.replicas) continue;
    if (others.some(({ host }) => host === share.host) || inRack(share.rack) > before) continue;
    best = share;
  }
  return best;
}

/** The same replicas, led by one that leads less by two or more; null if there is none. */
function withLighterLeader(
  replicas: readonly number[],
  shares: ReadonlyMap<number, Share>,
): readonly number[] | null {
  const [first = -1, ...rest] = replicas;
  const from = shares.get(first);
  let best: Share | null = null;
  for (const id of rest) {
    const share = shares.get(id);
    if (share !== undefined && (best === null || share.leaders < best.leaders)) best = share;
  }
  if (best === null || (from !== undefined && best.leaders > from.leaders - 2)) return null;
  if (from !== undefined) from.leaders--;
  best.leaders++;
  const { id: leader } = best;
  return [leader, ...replicas.filter((id) => id !== leader)];
}
