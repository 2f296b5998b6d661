/**
 * `kstream stream reset`: has an application begin anew (Kafka's `StreamsResetter`): its inputs are read
 * again from a place, and what it has made for itself is deleted, in the cluster and on this disk.
 */
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Admin, GroupDescription } from "../../client/admin.ts";
import { readPositions } from "../../client/admin/positions.ts";
import { readSeekFacts } from "../../client/admin/seek-facts.ts";
import { type Move, planMove } from "../../client/admin/seek-plan.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { BunDisk } from "../../core/io/bun/disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { OffsetPoint } from "../../core/text/offset-range.ts";
import { parseStreamsConfig } from "../../stream/runtime/streams-config.ts";
import {
  internalName,
  outerSinkTopics,
  outerSourceTopics,
} from "../../stream/runtime/topic-plan.ts";
import { StateDirectory } from "../../stream/stores/state-directory.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { type AdminOptions, refusal, throwFailures, withAdmin } from "../admin-command.ts";
import { formatMoves } from "../group/seek.ts";
import { findTargets } from "../group/seek-targets.ts";
import { clientIo } from "../client.ts";
import { count, print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { say } from "../terminal.ts";
import { parsePlace } from "../time-options.ts";
import { loadApp, parseSettings } from "./load-app.ts";
import { type ResetApp, type ResetTopics, resetTopics } from "./reset-topics.ts";

export interface ResetOptions extends AdminOptions {
  readonly applicationId?: string | undefined;
  readonly to: string;
  readonly utc?: boolean | undefined;
  readonly topic?: readonly string[] | undefined;
  readonly intermediate?: readonly string[] | undefined;
  readonly orphans?: boolean | undefined;
  readonly stateDir?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly execute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** The application, and where its members of this machine have their state; null: unknown. */
interface FoundApp extends ResetApp {
  readonly stateFolder: string | null;
  /** Of its config. */
  readonly brokers: string | null;
}

interface PlacedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** What is done, or would be. */
interface ResetPlan extends ResetTopics {
  readonly moves: readonly Move[];
  /** Null: the group stays. Else it is made anew, and these are offsets that it is to have as before. */
  readonly regained: readonly PlacedOffset[] | null;
  readonly stateFolder: string | null;
}

/** `brokersAreDefault`: nobody has said where the cluster is, so the config of the application may. */
export async function resetApp(
  file: string | undefined,
  options: ResetOptions,
  brokersAreDefault: boolean,
): Promise<void> {
  const place = parsePlace(options.to, options.utc ?? false);
  const app = await findApp(file, options);
  const brokers = brokersAreDefault && app.brokers !== null ? app.brokers : options.brokers;
  await withAdmin({ ...options, brokers }, async (admin) => {
    const group = await findGroup(admin, app.applicationId);
    const alive = membersOf(group);
    // They would go on with what they have in memory, and make the topics again.
    if (options.execute === true && alive !== null) {
      throw new OperatorError(
        alive,
        "",
        "stop its members first, or wait for their session to end",
      );
    }
    const plan = await makePlan(admin, app, group, place, options);
    if (options.execute === true) await lockedExecute(admin, app.applicationId, plan);
    await show(app.applicationId, plan, options, alive);
  });
}

async function findApp(
  file: string | undefined,
  { applicationId, stateDir, topic, set }: ResetOptions,
): Promise<FoundApp> {
  if (file === undefined) {
    if (applicationId === undefined) {
      const hint = "give its module, or --application-id";
      throw new OperatorError("it is not said which application to reset", "", hint, 2);
    }
    if (topic === undefined || topic.length === 0) {
      const hint = "name them with --topic, or give the module of the application";
      throw new OperatorError("it is not known which topics it reads", "", hint, 2);
    }
    const stateFolder = stateDir === undefined ? null : join(stateDir, applicationId);
    return { applicationId, topology: null, stateFolder, brokers: null };
  }
  const { topology, config: settings } = await loadApp(file, {
    ...parseSettings(set),
    ...(applicationId !== undefined && { "application.id": applicationId }),
  });
  const config = parseStreamsConfig(settings);
  return {
    applicationId: config.applicationId,
    topology: topicsOf(topology, config.applicationId),
    stateFolder: join(stateDir ?? config.stateDir, config.applicationId),
    brokers: config.bootstrapServers,
  };
}

function topicsOf(topology: Topology, applicationId: string): NonNullable<ResetApp["topology"]> {
  const written = new Set(outerSinkTopics(topology));
  const read = outerSourceTopics(topology);
  const logged = [...topology.stores.values()].filter(({ isLogged }) => isLogged);
  const internals = [
    ...topology.repartitionTopics.keys(),
    ...logged.map(({ name }) => `${name}-changelog`),
  ];
  return {
    inputs: read.filter((topic) => !written.has(topic)),
    intermediates: read.filter((topic) => written.has(topic)),
    internals: internals.map((name) => internalName(applicationId, name)),
    matches: (topic) =>
      !topology.matches(topic, (name) => internalName(applicationId, name))
        ? null
        : written.has(topic)
        ? "intermediate"
        : "input",
  };
}

type ResetGroup = Pick<GroupDescription, "groupId" | "type" | "members">;

/** One that is not there has no members and no offsets. */
async function findGroup(admin: Admin, groupId: string): Promise<ResetGroup> {
  try {
    return await admin.groups.describe(groupId);
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== Errors.GROUP_ID_NOT_FOUND) throw error;
    return { groupId, type: "classic", members: [] };
  }
}

function membersOf({ groupId, members }: ResetGroup): string | null {
  if (members.length === 0) return null;
  return `application "${groupId}" has ${count(members.length, "live member")}`;
}

async function makePlan(
  admin: Admin,
  app: FoundApp,
  group: ResetGroup,
  place: OffsetPoint,
  options: ResetOptions,
): Promise<ResetPlan> {
  const topics = (await admin.listTopics()).map(({ name }) => name);
  const groups = (await admin.groups.list()).map(({ groupId }) => groupId);
  const wish = {
    inputs: options.topic ?? null,
    intermediates: options.intermediate ?? [],
    orphans: options.orphans === true,
  };
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
  const { stateFolder } = app;
  const isThere = stateFolder !== null && existsSync(stateFolder);
  const gone = new Set([...touched.inputs, ...touched.intermediates, ...touched.internals]);
  // It would refuse another topology, also when it is empty.
  const regained = group.type === "streams"
    ? positions.flatMap(({ topic, partition, offset }) =>
      gone.has(topic) || offset === null ? [] : [{ topic, partition, offset: BigInt(offset) }]
    )
    : null;
  return { ...touched, moves, regained, stateFolder: isThere ? stateFolder : null };
}

/** With the state's lock, so that no member begins meanwhile on this machine. */
async function lockedExecute(admin: Admin, applicationId: string, plan: ResetPlan): Promise<void> {
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

/** Each part may be done again: what stops half-way is put right by doing it once more. */
async function execute(admin: Admin, applicationId: string, plan: ResetPlan): Promise<void> {
  if (plan.regained !== null) {
    const [result] = await admin.groups.delete([applicationId]);
    const isGone = result?.error?.code === Errors.GROUP_ID_NOT_FOUND;
    if (result?.error != null && !isGone) {
      throw refusal(`cannot make group "${applicationId}" anew`, result.error);
    }
  }
  if (plan.moves.length + (plan.regained?.length ?? 0) > 0) {
    const moves = plan.moves.map(({ topic, partition, newOffset }) => ({
      ...{ topic, partition, offset: BigInt(newOffset) },
    }));
    const offsets = [...moves, ...plan.regained ?? []];
    await admin.groups.alterOffsets(applicationId, offsets).catch((error: unknown) => {
      throw refusal(`cannot set the offsets of application "${applicationId}"`, error);
    });
  }
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
  if (plan.stateFolder === null) return;
  try {
    rmSync(plan.stateFolder, { recursive: true, force: true });
  } catch (error) {
    throw new OperatorError(`cannot remove ${plan.stateFolder}`, reasonOf(error), "");
  }
}

async function show(
  applicationId: string,
  { moves, internals, regained, spared, stateFolder }: ResetPlan,
  { execute: isExecuted = false, json }: ResetOptions,
  alive: string | null,
): Promise<void> {
  if (json === true) {
    const executed = isExecuted;
    await printJson({
      applicationId,
      executed,
      offsets: moves,
      topics: internals,
      spared,
      stateFolder,
    });
  } else {
    if (moves.length > 0) await print(formatMoves(moves));
    const verb = isExecuted ? "deleted" : "to delete";
    for (const topic of internals) await print(`${verb}: topic ${topic}\n`);
    if (regained !== null) await print(`${verb}: topology of group ${applicationId}\n`);
    if (stateFolder !== null) await print(`${verb}: folder ${stateFolder}\n`);
    for (const topic of spared) await print(`left alone: topic ${topic}\n`);
  }
  if (isExecuted) return;
  say(
    alive === null
      ? "kstream: nothing is changed yet: add --execute to do it"
      : `kstream: nothing is changed, and --execute would refuse: ${alive}: stop its members first`,
  );
}
