/** `kstream cluster drain`, `rebalance` and `remove`. */
import type { Admin } from "../../client/admin.ts";
import { removeBroker } from "../../client/admin/reassignments.ts";
import { drainPlan, rebalancePlan } from "../../cluster/controller/rebalance.ts";
import { Errors } from "../../core/errors.ts";
import { systemRandom } from "../../core/io/system-random.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { atOnce } from "../../core/steps.ts";
import { KafkaError } from "../../client/errors.ts";
import { type AdminOptions, refusal, withAdmin } from "../admin-command.ts";
import { count, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import {
  ALL_DIRS,
  CORDON,
  execute,
  type MoveOptions,
  printMoves,
  readView,
  viewsOf,
} from "./moves.ts";

/** Options of `cluster drain`. */
export interface DrainOptions extends MoveOptions {
  readonly undo?: boolean | undefined;
}

/** `kstream cluster drain`: moves all that is on a broker to others, and keeps new partitions off it. */
export async function drain(nodeId: number, options: DrainOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    if (options.undo) return await undoDrain(admin, nodeId, options);
    const view = await readView(admin);
    const broker = view.brokers.find(({ id }) => id === nodeId);
    if (broker === undefined) throw noSuchBroker(nodeId, view.brokers.map(({ id }) => id));
    const { moves, stuck } = atOnce(drainPlan(view, nodeId, systemRandom));
    let isDone: boolean | null = null;
    if (options.execute) {
      if (broker.isActive) await cordon(admin, nodeId, ALL_DIRS);
      isDone = await execute(admin, view, moves, options);
    }
    const views = viewsOf(view, moves);
    if (options.json) {
      const executed = options.execute === true;
      await printJson({ nodeId, executed, moves: views, stuck });
    } else await printMoves(views, isDone);
    if (stuck.length > 0) throw stuckError(nodeId, stuck.length);
    if (isDone === null && moves.length === 0) {
      say(`kstream: new partitions still go to broker ${nodeId}: add --execute to keep them off`);
    }
  });
}

function noSuchBroker(nodeId: number, known: readonly number[]): OperatorError {
  const why = `the cluster has ${known.toSorted((a, b) => a - b).join(", ")}`;
  return new OperatorError(`there is no broker ${nodeId}`, why, "");
}

function stuckError(nodeId: number, stuck: number): OperatorError {
  return new OperatorError(
    `cannot move all partitions off broker ${nodeId}`,
    `${count(stuck, "partition")} would have fewer replicas, as no other host is up that has none`,
    "start another broker, or give those topics fewer replicas",
  );
}

/** New partitions may go to it again; nothing comes back by itself. */
async function undoDrain(admin: Admin, nodeId: number, options: DrainOptions): Promise<void> {
  await cordon(admin, nodeId, null);
  if (options.json) await printJson({ nodeId, executed: true, moves: [], stuck: [] });
  else await print(`broker ${nodeId} takes new partitions again\n`);
}

async function cordon(admin: Admin, nodeId: number, value: string | null): Promise<void> {
  try {
    await admin.incrementalAlterConfigs({ type: "broker", name: String(nodeId) }, [
      value === null
        ? { name: CORDON, operation: "delete", value: null }
        : { name: CORDON, operation: "set", value },
    ]);
  } catch (error) {
    // A Kafka before 4.3 does not know it.
    const isUnknown = error instanceof KafkaError &&
      (error.code === Errors.INVALID_CONFIG || error.code === Errors.INVALID_REQUEST);
    if (!isUnknown) throw refusal(`cannot keep new partitions off broker ${nodeId}`, error);
    say(`kstream: new partitions may still go to broker ${nodeId}: the cluster cannot be told`);
  }
}

/** `kstream cluster rebalance`: gives all brokers as much as each other. */
export async function rebalance(options: MoveOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const view = await readView(admin);
    const moves = atOnce(rebalancePlan(view));
    const isDone = options.execute ? await execute(admin, view, moves, options) : null;
    const views = viewsOf(view, moves);
    if (options.json) return await printJson({ executed: options.execute === true, moves: views });
    if (moves.length === 0) return await print("all brokers have as much as each other\n");
    await printMoves(views, isDone);
  });
}

/** Options of `cluster remove`. */
export interface RemoveOptions extends AdminOptions {
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream cluster remove`: the cluster forgets a broker that was drained and stopped. */
export async function remove(nodeId: number, options: RemoveOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const [{ brokers }, { topics }] = await Promise.all([admin.describeCluster(), readView(admin)]);
    const cannot = `cannot remove broker ${nodeId}`;
    if (brokers.some((broker) => broker.nodeId === nodeId)) {
      throw new OperatorError(cannot, "it is up, and would register again", "stop it first");
    }
    const kept = topics.flatMap(({ partitions }) => partitions)
      .filter(({ replicas }) => replicas.includes(nodeId)).length;
    if (kept > 0 && !options.force) {
      throw new OperatorError(
        cannot,
        `${count(kept, "partition")} has a replica on it`.replace("s has a", "s have a"),
        `move them with "kstream cluster drain ${nodeId} --execute", or leave them so with --force`,
      );
    }
    try {
      await removeBroker(admin.cluster, nodeId);
    } catch (error) {
      throw refusal(cannot, error);
    }
    if (options.json) await printJson({ nodeId, removed: true, replicas: kept });
    else await print(`removed broker ${nodeId}\n`);
  });
}
