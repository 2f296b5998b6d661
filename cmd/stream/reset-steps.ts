/** What `kstream stream reset` finds, and does. */
import { existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Admin, GroupDescription } from "../../client/admin.ts";
import { readPositions } from "../../client/admin/positions.ts";
import { readSeekFacts } from "../../client/admin/seek-facts.ts";
import { type Move, planMove } from "../../client/admin/seek-plan.ts";
import { KafkaError } from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import { Errors } from "../../core/errors.ts";
import { BunDisk } from "../../core/io/bun/disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { OffsetPoint } from "../../core/text/offset-range.ts";
import type { SnapshotStore } from "../../stream/stores/snapshots/snapshot-store.ts";
import { StateDirectory } from "../../stream/stores/state-directory.ts";
import { refusal, throwFailures } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { findTargets } from "../group/seek-targets.ts";
import { reasonOf } from "../reason.ts";
import type { KeptOffsets, PlacedOffset } from "./kept-offsets.ts";
import { type ResetApp, type ResetTopics, resetTopics, type ResetWish } from "./reset-topics.ts";

/** The application, and where its members of this machine have their state; null: unknown. */
export interface FoundApp extends ResetApp {
  readonly stateFolder: string | null;
  /** Null: it has none, or nobody knows where. */
  readonly snapshots: SnapshotStore | null;
  readonly kept: KeptOffsets;
  /** Of its config. */
  readonly brokers: string | null;
}

/** What is done, or would be. */
export interface ResetPlan extends ResetTopics {
  readonly moves: readonly Move[];
  /** Whether the group is made anew: it would keep its topology. */
  readonly isMadeAnew: boolean;
  /** Offsets that it is to have as before. */
  readonly regained: readonly PlacedOffset[];
  /** Those of them that a reset has taken from the group and not given back. */
  readonly lost: readonly PlacedOffset[];
  readonly kept: KeptOffsets;
  readonly stateFolder: string | null;
  /** Null: there are none. */
  readonly snapshots: SnapshotStore | null;
}

/** What of a group matters here. */
export type ResetGroup = Pick<GroupDescription, "groupId" | "type" | "members">;

/** One that is not there has no members and no offsets. */
export async function findGroup(admin: Admin, groupId: string): Promise<ResetGroup> {
  try {
    return await admin.groups.describe(groupId);
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== Errors.GROUP_ID_NOT_FOUND) throw error;
    return { groupId, type: "classic", members: [] };
  }
}

/** Looks at the cluster; changes nothing. */
export async function makePlan(
  admin: Admin,
  app: FoundApp,
  group: ResetGroup,
  place: OffsetPoint,
  wish: ResetWish,
): Promise<ResetPlan> {
  const topics = (await admin.listTopics()).map(({ name }) => name);
  const groups = (await admin.groups.list()).map(({ groupId }) => groupId);
  const touched = resetTopics(app, wish, topics, groups);
  const positions = await readPositions(admin, group.groupId, group.type);
  const movesTo = async (names: readonly string[], to: OffsetPoint) => {
    const targets = names.length === 0 ? [] : await findTargets(admin, [], names);
    const facts = await readSeekFacts(admin, targets, positions, null, to);
    return facts.flatMap((each) => planMove(each, to) ?? []);
  };
  const moves = [
    ...await movesTo(touched.inputs, place),
    // What is in them was made of inputs that are read again.
    ...await movesTo(touched.intermediates, { kind: "end", minus: 0n }),
  ];
  const { stateFolder, kept } = app;
  const isThere = stateFolder !== null && existsSync(stateFolder);
  const gone = new Set(touched.internals);
  const moved = new Set(moves.map(({ topic, partition }) => partitionKey(topic, partition)));
  // It would refuse another topology, also when it is empty.
  const isMadeAnew = group.type === "streams";
  const own = positions.flatMap(({ topic, partition, offset }) =>
    offset === null ? [] : [{ topic, partition, offset: BigInt(offset) }]
  );
  const known = new Set(own.map(({ topic, partition }) => partitionKey(topic, partition)));
  const isOther = ({ topic, partition }: PlacedOffset) =>
    !moved.has(partitionKey(topic, partition)) && !gone.has(topic) && topics.includes(topic);
  const lost = kept.read().filter(({ topic, partition }) =>
    !known.has(partitionKey(topic, partition))
  ).filter(isOther);
  const regained = [...(isMadeAnew ? own.filter(isOther) : []), ...lost];
  const folder = isThere ? stateFolder : null;
  const snapshots = app.snapshots !== null && await hasSome(app.snapshots) ? app.snapshots : null;
  return { ...touched, moves, isMadeAnew, regained, lost, kept, stateFolder: folder, snapshots };
}

/** What of the cluster is changed. */
export interface ResetCluster extends Pick<Admin, "deleteTopics"> {
  readonly groups: Pick<Admin["groups"], "delete" | "alterOffsets">;
}

/** With the state's lock, so that no member begins meanwhile on this machine. */
export async function lockedExecute(
  admin: Admin,
  applicationId: string,
  plan: ResetPlan,
): Promise<void> {
  const { stateFolder } = plan;
  if (stateFolder === null) return await execute(admin, applicationId, plan);
  const io = { disk: new BunDisk(null), ...clientIo, logger: silentLogger };
  // It refuses a folder that is no application's state, too, which is not to be removed.
  const directory = StateDirectory.open(io, { dir: dirname(stateFolder), applicationId });
  try {
    await execute(admin, applicationId, plan);
  } finally {
    directory.close();
  }
}

/**
 * Each part may be done again: what stops half-way is put right by doing it once more. What goes with the
 * group is kept in a file until it is back.
 */
export async function execute(
  admin: ResetCluster,
  applicationId: string,
  plan: ResetPlan,
): Promise<void> {
  if (plan.isMadeAnew) {
    plan.kept.write(plan.regained);
    const [result] = await admin.groups.delete([applicationId]);
    const isGone = result?.error?.code === Errors.GROUP_ID_NOT_FOUND;
    if (result?.error != null && !isGone) {
      throw refusal(`cannot make group "${applicationId}" anew`, result.error);
    }
  }
  if (plan.moves.length + plan.regained.length > 0) {
    const moves = plan.moves.map(({ topic, partition, newOffset }) => ({
      ...{ topic, partition, offset: BigInt(newOffset) },
    }));
    const offsets = [...moves, ...plan.regained];
    await admin.groups.alterOffsets(applicationId, offsets).catch((error: unknown) => {
      throw refusal(`cannot set the offsets of application "${applicationId}"`, error);
    });
  }
  plan.kept.remove();
  if (plan.internals.length > 0) {
    const results = await admin.deleteTopics(plan.internals);
    throwFailures(
      results.flatMap(({ name, error }) =>
        error === null || error.code === Errors.UNKNOWN_TOPIC_OR_PARTITION
          ? []
          : [refusal(`cannot delete topic "${name}"`, error)]
      ),
    );
  }
  if (plan.snapshots !== null) await removeSnapshots(plan.snapshots);
  if (plan.stateFolder === null) return;
  try {
    rmSync(plan.stateFolder, { recursive: true, force: true });
  } catch (error) {
    throw new OperatorError(`cannot remove ${plan.stateFolder}`, reasonOf(error), "");
  }
}

async function hasSome(snapshots: SnapshotStore): Promise<boolean> {
  try {
    return (await snapshots.list("")).length > 0;
  } catch (error) {
    throw new OperatorError(`cannot look into ${snapshots.place}`, reasonOf(error), "");
  }
}

async function removeSnapshots(snapshots: SnapshotStore): Promise<void> {
  try {
    for (const { name } of await snapshots.list("")) await snapshots.remove(name);
  } catch (error) {
    throw new OperatorError(`cannot remove snapshots in ${snapshots.place}`, reasonOf(error), "");
  }
}
