/**
 * Moves at a bounded rate (KIP-73), set up and taken away as Kafka's `ReassignPartitionsCommand` does: the
 * rate on the brokers that take part, in their topics which replicas it holds back. Of any Kafka cluster.
 */
import type { Admin, ConfigChange, ConfigEntry } from "../../client/admin.ts";
import { refusal } from "../admin-command.ts";
import { say } from "../terminal.ts";
import type { MoveView } from "./moves.ts";

/** Bytes per second, of each broker and each end of replication. */
const RATES = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];
const LEADER_REPLICAS = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS = "follower.replication.throttled.replicas";
const ALL_REPLICAS = "*";

/** Sets the rate for moves that are about to begin; of brokers, the `active` ones. */
export async function setThrottle(
  admin: Admin,
  moves: readonly MoveView[],
  active: ReadonlySet<number>,
  bytesPerSecond: number,
): Promise<void> {
  try {
    for (const [topic, wanted] of throttledReplicas(moves)) {
      await changeReplicas(admin, topic, (name, old) => {
        return old.includes(ALL_REPLICAS) ? old : [...new Set([...old, ...wanted[name] ?? []])];
      });
    }
    for (const broker of brokersOf(moves, active)) {
      const changes = RATES.map((name) =>
        ({ name, operation: "set", value: String(bytesPerSecond) }) as const
      );
      await admin.incrementalAlterConfigs({ type: "broker", name: String(broker) }, changes);
    }
  } catch (error) {
    throw refusal("cannot set the rate of the moves", error);
  }
}

/** Takes away what `setThrottle` has set. */
export async function liftThrottle(
  admin: Admin,
  moves: readonly MoveView[],
  active: ReadonlySet<number>,
): Promise<void> {
  for (const [topic, lifted] of throttledReplicas(moves)) {
    await changeReplicas(
      admin,
      topic,
      (name, old) => old.filter((each) => !(lifted[name] ?? []).includes(each)),
    );
  }
  for (const broker of brokersOf(moves, active)) await liftRates(admin, broker);
}

/** By topic, and by config, as `partition:broker`: the copies made, and who may be asked for them. */
function throttledReplicas(
  moves: readonly MoveView[],
): Map<string, Readonly<Record<string, string[]>>> {
  const topics = new Map<string, Record<string, string[]>>();
  for (const { topic, partition, from, to } of moves) {
    const added = to.filter((id) => !from.includes(id));
    if (added.length === 0) continue;
    const configs = topics.get(topic) ?? { [LEADER_REPLICAS]: [], [FOLLOWER_REPLICAS]: [] };
    topics.set(topic, configs);
    configs[LEADER_REPLICAS]?.push(...from.map((id) => `${partition}:${id}`));
    configs[FOLLOWER_REPLICAS]?.push(...added.map((id) => `${partition}:${id}`));
  }
  return topics;
}

function brokersOf(moves: readonly MoveView[], active: ReadonlySet<number>): number[] {
  const copying = moves.filter(({ from, to }) => to.some((id) => !from.includes(id)));
  const ids = new Set(copying.flatMap(({ from, to }) => [...from, ...to]));
  return [...ids].filter((id) => active.has(id)).sort((a, b) => a - b);
}

/** Gives a topic's lists of replicas other entries; says whether anything was to be changed. */
export async function changeReplicas(
  admin: Admin,
  topic: string,
  next: (name: string, old: readonly string[]) => readonly string[],
): Promise<boolean> {
  const resource = { type: "topic", name: topic } as const;
  const configs = await admin.describeConfigs(resource, {
    names: [LEADER_REPLICAS, FOLLOWER_REPLICAS],
  });
  const changes = [LEADER_REPLICAS, FOLLOWER_REPLICAS].flatMap((name): ConfigChange[] => {
    const old = entriesOf(configs.find((config) => config.name === name));
    const wanted = next(name, old);
    if (wanted.join() === old.join()) return [];
    return wanted.length === 0
      ? [{ name, operation: "delete", value: null }]
      : [{ name, operation: "set", value: wanted.join(",") }];
  });
  if (changes.length > 0) await admin.incrementalAlterConfigs(resource, changes);
  return changes.length > 0;
}

/** A topic's own list; what it has from a default is none. */
function entriesOf(config: ConfigEntry | undefined): string[] {
  if (config?.source !== "topic") return [];
  return (config.value ?? "").split(",").map((each) => each.trim()).filter((each) => each !== "");
}

/** Takes the rates of a broker away; says whether there were any. */
export async function liftRates(admin: Admin, broker: number): Promise<boolean> {
  const resource = { type: "broker", name: String(broker) } as const;
  const configs = await admin.describeConfigs(resource, { names: RATES });
  const set = configs.filter(({ source }) => source === "broker").map(({ name }) => name);
  if (set.length === 0) return false;
  const changes = set.map((name) => ({ name, operation: "delete", value: null }) as const);
  await admin.incrementalAlterConfigs(resource, changes);
  return true;
}

/** What to say where moves go on without this command. */
export function sayThrottleStays(): void {
  say(`kstream: their rate stays bounded until you run "kstream cluster unthrottle"`);
}
