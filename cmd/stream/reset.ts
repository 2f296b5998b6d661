/**
 * `kstream stream reset`: has an application begin anew (Kafka's `StreamsResetter`): its inputs are read
 * again from a place, and what it has made for itself is deleted, in the cluster and on this disk.
 */
import { join } from "node:path";
import { OperatorError } from "../../core/operator-error.ts";
import { parseStreamsConfig } from "../../stream/runtime/streams-config.ts";
import {
  internalName,
  outerSinkTopics,
  outerSourceTopics,
} from "../../stream/runtime/topic-plan.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { type AdminOptions, withAdmin } from "../admin-command.ts";
import { parseTopicPartitions } from "../group/numbers.ts";
import { formatMoves } from "../group/seek.ts";
import { count, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import { parsePlace } from "../time-options.ts";
import { loadApp, parseSettings } from "./load-app.ts";
import { snapshotsOf } from "./open-snapshots.ts";
import { KeptOffsets } from "./kept-offsets.ts";
import {
  findGroup,
  type FoundApp,
  lockedExecute,
  makePlan,
  type ResetGroup,
  type ResetPlan,
} from "./reset-steps.ts";
import type { ResetApp } from "./reset-topics.ts";

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

/** `brokersAreDefault`: nobody has said where the cluster is, so the config of the application may. */
export async function resetApp(
  file: string | undefined,
  options: ResetOptions,
  brokersAreDefault: boolean,
): Promise<void> {
  const place = parsePlace(options.to, options.utc ?? false);
  const app = await findApp(file, options);
  if (app.topology !== null) requireInputs(options.topic ?? [], app.applicationId, app.topology);
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
    const wish = {
      inputs: options.topic ?? null,
      intermediates: options.intermediate ?? [],
      orphans: options.orphans === true,
    };
    const plan = await makePlan(admin, app, group, place, wish);
    if (options.execute === true) await lockedExecute(admin, app.applicationId, plan);
    await show(app.applicationId, plan, options, alive);
  });
}

/** What it does not read would only get an offset that means nothing. */
function requireInputs(
  specs: readonly string[],
  applicationId: string,
  { inputs, intermediates, matches }: NonNullable<ResetApp["topology"]>,
): void {
  const known = [...inputs, ...intermediates];
  const stranger = specs.map((spec) => parseTopicPartitions(spec)?.topic)
    .find((topic) => topic !== undefined && !known.includes(topic) && matches(topic) === null);
  if (stranger === undefined) return;
  const what = `application "${applicationId}" does not read topic "${stranger}"`;
  throw new OperatorError(what, "", `it reads ${known.join(", ") || "topics by patterns"}`, 2);
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
    const kept = new KeptOffsets(stateDir ?? ".", applicationId);
    return { applicationId, topology: null, stateFolder, snapshots: null, kept, brokers: null };
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
    kept: new KeptOffsets(stateDir ?? config.stateDir, config.applicationId),
    snapshots: snapshotsOf(config),
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

function membersOf({ groupId, members }: ResetGroup): string | null {
  if (members.length === 0) return null;
  return `application "${groupId}" has ${count(members.length, "live member")}`;
}

async function show(
  applicationId: string,
  { moves, internals, isMadeAnew, lost, spared, stateFolder, snapshots }: ResetPlan,
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
      snapshots: snapshots?.place ?? null,
    });
  } else {
    if (moves.length > 0) await print(formatMoves(moves));
    const verb = isExecuted ? "deleted" : "to delete";
    for (const topic of internals) await print(`${verb}: topic ${topic}\n`);
    if (isMadeAnew) await print(`${verb}: topology of group ${applicationId}\n`);
    if (lost.length > 0) {
      const again = isExecuted ? "set again" : "to set again";
      await print(`${again}: ${count(lost.length, "offset")} of a reset that did not end\n`);
    }
    if (stateFolder !== null) await print(`${verb}: folder ${stateFolder}\n`);
    if (snapshots !== null) await print(`${verb}: snapshots in ${snapshots.place}\n`);
    for (const topic of spared) await print(`left alone: topic ${topic}\n`);
  }
  if (isExecuted) return;
  say(
    alive === null
      ? "kstream: nothing is changed yet: add --execute to do it"
      : `kstream: nothing is changed, and --execute would refuse: ${alive}: stop its members first`,
  );
}
