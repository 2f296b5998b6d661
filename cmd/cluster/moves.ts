/**
 * Moves of partitions: what the cluster looks like to a plan, how a plan is shown, and how it is done
 * while somebody looks on. Of any Kafka cluster.
 */
import type { Admin, ClusterDescription, ConfigEntry } from "../../client/admin.ts";
import { alterReassignments, listReassignments } from "../../client/admin/reassignments.ts";
import type { Reassignment, WantedReplicas } from "../../client/admin/reassignments.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import type { PlacementBroker } from "../../cluster/controller/placement.ts";
import type { ClusterView, Move } from "../../cluster/controller/rebalance.ts";
import { targetOf } from "../../cluster/controller/reassignment.ts";
import { systemClock } from "../../core/io/system-clock.ts";
import { sleep } from "../../core/io.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { type AdminOptions, refusal, throwFailures } from "../admin-command.ts";
import { count, formatTable, print } from "../output.ts";
import { onInterrupt, progressOnTerminal, say } from "../terminal.ts";
import { liftThrottle, sayThrottleStays, setThrottle } from "./throttle.ts";

/** The config that keeps new partitions off a broker (KIP-1066), and the value for all directories. */
export const CORDON = "cordoned.log.dirs";
export const ALL_DIRS = "*";

/** Who says nothing for so long counts as one that is not there. */
const SILENT_MS = 5000;
/** How often it is looked how far moves are. */
const LOOK_MS = 500;
/** More are told in number. */
const SHOWN_MAX = 50;

/** Options of commands that move partitions. */
export interface MoveOptions extends AdminOptions {
  readonly execute?: boolean | undefined;
  readonly wait: boolean;
  /** Bytes per second. */
  readonly throttle?: number | undefined;
  readonly json?: boolean | undefined;
}

/** A move as `--json` shows it (docs/json.md). */
export interface MoveView {
  readonly topic: string;
  readonly partition: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Where everything is now, or will be when what is under way is done. */
export async function readView(admin: Admin): Promise<ClusterView> {
  const [described, topics, moving] = await Promise.all([
    admin.describeCluster({ includeFenced: true }),
    admin.listTopics({ internal: true }),
    listReassignments(admin.cluster),
  ]);
  const targets = new Map(moving.map((each) => [keyOf(each), targetOf(each)]));
  const placed = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partition, replicas }) => {
      const target = targets.get(keyOf({ topic: name, partition }));
      return { replicas: target ?? replicas, isMoving: target !== undefined };
    }),
  }));
  return { brokers: await brokersOf(admin, described, topics), topics: placed };
}

/** A partition by name. */
function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }) {
  return `${topic}:${partition}`;
}

/**
 * What a plan has to know of the brokers. The machine is taken from the address, unless that says
 * nothing: where a partition has two replicas at one host already, all may be behind one name.
 */
async function brokersOf(
  admin: Admin,
  { brokers }: ClusterDescription,
  topics: readonly TopicMetadata[],
): Promise<PlacementBroker[]> {
  const hosts = new Map(brokers.map(({ nodeId, host }) => [nodeId, host]));
  const isShared = topics.some(({ partitions }) =>
    partitions.some(({ replicas }) => {
      const known = replicas.flatMap((id) => hosts.get(id) ?? []);
      return new Set(known).size < known.length;
    })
  ) || (brokers.length > 1 && new Set(hosts.values()).size === 1);
  return await Promise.all(brokers.map(async ({ nodeId, host, rack, fenced }) => {
    const cordoned = fenced ? null : await isCordoned(admin, nodeId);
    const own = { id: nodeId, rack, host: isShared ? "" : host };
    return { ...own, isActive: cordoned !== null, isCordoned: cordoned === true };
  }));
}

/** Null if the broker is silent. One that does not know the config is not cordoned. */
async function isCordoned(admin: Admin, nodeId: number): Promise<boolean | null> {
  const resource = { type: "broker", name: String(nodeId) } as const;
  const signal = AbortSignal.timeout(SILENT_MS);
  let configs: readonly ConfigEntry[];
  try {
    configs = await rejectIfAborted(
      admin.describeConfigs(resource, { names: [CORDON], signal }),
      signal,
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    say(`kstream: broker ${nodeId} is silent, and counts as down`);
    return null;
  }
  return configs.some(({ name, value }) => name === CORDON && value === ALL_DIRS);
}

/** The moves with where the partitions are now. */
export function viewsOf({ topics }: ClusterView, moves: readonly Move[]): MoveView[] {
  const now = new Map(topics.map(({ name, partitions }) => [name, partitions]));
  return moves.map(({ topic, partition, replicas }) => ({
    topic,
    partition,
    from: now.get(topic)?.[partition]?.replicas ?? [],
    to: replicas,
  }));
}

/** The moves as a table. */
export function formatMoves(moves: readonly MoveView[]): string {
  const shown = moves.slice(0, SHOWN_MAX);
  const table = formatTable(shown, [
    { title: "TOPIC", cell: ({ topic }) => topic },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "FROM", cell: ({ from }) => from.join(",") },
    { title: "TO", cell: ({ to }) => to.join(",") },
  ]);
  const more = moves.length - shown.length;
  return more > 0 ? `${table}… and ${count(more, "more partition")}\n` : table;
}

/** Prints moves, and what became of them; `isDone` null: they were not asked for. */
export async function printMoves(moves: readonly MoveView[], isDone: boolean | null) {
  if (moves.length === 0) return await print("nothing has to move\n");
  const what = isDone === null ? "would move" : isDone ? "moved" : "began to move";
  await print(`${count(moves.length, "partition")} ${what}\n${formatMoves(moves)}`);
  if (isDone === null) say("kstream: nothing is moved yet: add --execute to move it");
}

/**
 * Starts the moves, and waits until all of them are done; says whether they are. Ctrl-C ends the
 * waiting; the cluster goes on, and a rate stays set.
 */
export async function execute(
  admin: Admin,
  view: ClusterView,
  moves: readonly Move[],
  { throttle, wait }: MoveOptions,
): Promise<boolean> {
  if (throttle === undefined) {
    await begin(admin, moves);
    return wait && await waitForMoves(admin, moves);
  }
  const views = viewsOf(view, moves);
  const active = new Set(view.brokers.filter(({ isActive }) => isActive).map(({ id }) => id));
  // From here on: who is interrupted is told that the rate stays.
  const interrupted = onInterrupt();
  await setThrottle(admin, views, active, throttle);
  let isDone = false;
  try {
    await begin(admin, moves);
    isDone = wait && await waitForMoves(admin, moves, interrupted);
    return isDone;
  } catch (error) {
    isDone = await movesLeft(admin, moves) === 0;
    throw error;
  } finally {
    if (isDone) await liftThrottle(admin, views, active);
    else sayThrottleStays();
  }
}

/** Starts moves, or gives them up (null). */
export async function begin(admin: Admin, moves: readonly WantedReplicas[]): Promise<void> {
  const results = await alterReassignments(admin.cluster, moves);
  throwFailures(
    results.flatMap(({ topic, partition, error }) =>
      error === null ? [] : refusal(`cannot move ${topic}:${partition}`, error)
    ),
  );
}

/** Waits for these moves, or for all that there are; false if Ctrl-C came first. */
export async function waitForMoves(
  admin: Admin,
  moves?: readonly Move[],
  interrupted = onInterrupt(),
): Promise<boolean> {
  const show = progressOnTerminal(false);
  let all = moves?.length ?? 0;
  for (;;) {
    const left = await movesLeft(admin, moves);
    all = Math.max(all, left);
    show?.(left === 0 ? "" : `${all - left} of ${all} partitions moved`);
    if (left === 0) return true;
    await sleep(systemClock, LOOK_MS, interrupted).catch(() => {});
    if (!interrupted.aborted) continue;
    show?.("");
    say(`kstream: the cluster goes on with ${count(left, "partition")} without this command`);
    return false;
  }
}

async function movesLeft(admin: Admin, moves: readonly Move[] | undefined): Promise<number> {
  const wanted = moves && new Set(moves.map(keyOf));
  const isOurs = (each: Reassignment) => wanted?.has(keyOf(each)) ?? true;
  return (await listReassignments(admin.cluster)).filter(isOurs).length;
}
