/** `kstream topic reassign`. */
import type { Admin } from "../../client/admin.ts";
import { listReassignments } from "../../client/admin/reassignments.ts";
import { factorPlan, type Move } from "../../cluster/controller/rebalance.ts";
import { systemRandom } from "../../core/io/system-random.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { atOnce } from "../../core/steps.ts";
import { withAdmin } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import {
  begin,
  execute,
  formatMoves,
  type MoveOptions,
  printMoves,
  readView,
  viewsOf,
} from "../cluster/moves.ts";
import { count, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";

/** Options of the command. */
export interface ReassignOptions extends MoveOptions {
  readonly replication?: number | undefined;
  readonly to?: readonly number[] | undefined;
  readonly partition?: number | undefined;
  readonly cancel?: boolean | undefined;
}

/** Shows how the topics would move, and with `--execute` moves them; or gives up what is under way. */
export async function reassign(names: readonly string[], options: ReassignOptions): Promise<void> {
  const { cancel, partition, replication, to } = options;
  if ([cancel, replication, to].filter((each) => each !== undefined).length !== 1) {
    throw new OperatorError(
      "nothing to reassign to",
      "it needs one of --replication, --to and --cancel",
      "see kstream topic reassign --help",
      2,
    );
  }
  await withAdmin(options, async (admin) => {
    if (cancel) return await giveUp(admin, names, options);
    const view = await readView(admin);
    for (const name of names) {
      if (!view.topics.some((topic) => topic.name === name)) {
        throw await missingTopic(admin.cluster, name);
      }
    }
    const isMeant = (move: Move) => partition === undefined || move.partition === partition;
    const planned = replication === undefined
      ? { moves: exactly(names, to ?? [], view.topics), stuck: [] }
      : atOnce(factorPlan(view, new Set(names), replication, systemRandom));
    const moves = planned.moves.filter(isMeant);
    if (planned.stuck.length > 0) throw tooMany(replication ?? 0, planned.stuck.length);
    const isDone = options.execute ? await execute(admin, view, moves, options) : null;
    const moved = viewsOf(view, moves);
    if (options.json) return await printJson({ executed: options.execute === true, moves: moved });
    await printMoves(moved, isDone);
  });
}

function tooMany(replication: number, stuck: number): OperatorError {
  return new OperatorError(
    `cannot give the topics ${count(replication, "replica")}`,
    `for ${count(stuck, "partition")} there is no other host that is up`,
    "start more brokers on other hosts, or ask for less",
  );
}

/** All partitions on these brokers, each led by the next one. */
function exactly(
  names: readonly string[],
  to: readonly number[],
  topics: readonly { readonly name: string; readonly partitions: readonly object[] }[],
): Move[] {
  return topics.filter(({ name }) => names.includes(name)).flatMap(({ name, partitions }) =>
    partitions.map((_, partition) => ({
      topic: name,
      partition,
      replicas: to.map((_, index) => to[(index + partition) % to.length] ?? -1),
    }))
  );
}

async function giveUp(
  admin: Admin,
  names: readonly string[],
  { execute, json, partition }: ReassignOptions,
): Promise<void> {
  const moving = (await listReassignments(admin.cluster)).filter((each) =>
    names.includes(each.topic) && (partition === undefined || each.partition === partition)
  );
  if (execute) await begin(admin, moving.map((each) => ({ ...each, replicas: null })));
  const views = moving.map(({ topic, partition, replicas, adding }) => ({
    topic,
    partition,
    from: replicas,
    to: replicas.filter((id) => !adding.includes(id)),
  }));
  if (json) return await printJson({ executed: execute === true, moves: views });
  if (views.length === 0) return await print("nothing moves\n");
  const what = execute ? "went back" : "would go back";
  await print(`${count(moving.length, "partition")} ${what}\n${formatMoves(views)}`);
  if (!execute) say("kstream: nothing is given up yet: add --execute");
}
