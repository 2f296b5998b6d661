import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, GroupDescription } from "../../client/admin.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { count, formatTable, print, printJson } from "../output.ts";
import type { Column } from "../output.ts";
import { say } from "../terminal.ts";
import { parsePlace } from "../time-options.ts";
import { readDescription } from "./describe.ts";
import { OffsetsFileError, parseOffsetsFile } from "./offsets-file.ts";
import type { WantedOffset } from "./offsets-file.ts";
import { readPositions } from "../../client/admin/positions.ts";
import { readSmallFile } from "./small-file.ts";
import { type Destination, type Move, planMove } from "../../client/admin/seek-plan.ts";
import { readSeekFacts } from "../../client/admin/seek-facts.ts";
import { findTargets } from "./seek-targets.ts";

/** Options of `group seek`. */
export interface SeekOptions extends AdminOptions {
  readonly to?: string | undefined;
  readonly utc?: boolean | undefined;
  readonly shift?: number | undefined;
  readonly toFile?: string | undefined;
  readonly topic?: readonly string[] | undefined;
  readonly create?: boolean | undefined;
  readonly execute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What of a group matters here; one that is yet to be made has no members. */
type SeekGroup = Pick<GroupDescription, "groupId" | "type" | "members">;

/** `kstream group seek`. */
export async function seekGroup(name: string, options: SeekOptions): Promise<void> {
  const destination = parseDestination(options);
  const wanted = await readFile(name, options);
  await withAdmin(
    options,
    (admin) =>
      seekIn(admin, name, destination, wanted, options).catch((error: unknown) => {
        throw refusal(`cannot seek group "${name}"`, error);
      }),
  );
}

async function seekIn(
  admin: Admin,
  name: string,
  destination: Destination,
  wanted: readonly WantedOffset[] | null,
  options: SeekOptions,
): Promise<void> {
  const group = await findGroup(admin, name, options.create ?? false);
  const isExecuted = options.execute === true;
  const alive = membersOf(group);
  // Members would commit over it, or go on from where they are.
  if (isExecuted && alive !== null) throw new OperatorError(alive, "", "stop its members first");
  const moves = await plan(admin, group, destination, wanted, options.topic ?? []);
  if (isExecuted) await execute(admin, group, moves);
  if (options.json) {
    await printJson({ group: name, type: group.type, executed: isExecuted, partitions: moves });
  } else await print(formatMoves(moves));
  if (isExecuted) return;
  say(
    alive === null
      ? "kstream: nothing is changed yet: add --execute to do it"
      : `kstream: nothing is changed, and --execute would refuse: ${alive}: stop its members first`,
  );
}

function parseDestination({ to, utc, shift, toFile, topic }: SeekOptions): Destination {
  const given = [to, shift, toFile].filter((each) => each !== undefined).length;
  if (given !== 1) {
    const what = given === 0 ? "it is not said where to seek" : "several destinations are given";
    throw new OperatorError(what, "", "give one of --to, --shift and --to-file", 2);
  }
  if (toFile !== undefined && topic !== undefined && topic.length > 0) {
    throw new OperatorError("--to-file and --topic exclude each other", "", "choose one", 2);
  }
  if (shift !== undefined) return { kind: "shift", by: shift };
  if (to === undefined) return { kind: "file" };
  return parsePlace(to, utc ?? false);
}

async function readFile(group: string, { toFile }: SeekOptions): Promise<WantedOffset[] | null> {
  if (toFile === undefined) return null;
  const text = await readSmallFile(toFile);
  try {
    return parseOffsetsFile(text, group);
  } catch (error) {
    if (!(error instanceof OffsetsFileError)) throw error;
    const what = `cannot use the offsets in ${toFile === "-" ? "standard input" : toFile}`;
    throw new OperatorError(what, error.message, "see kstream group seek --help", 2);
  }
}

async function findGroup(admin: Admin, name: string, create: boolean): Promise<SeekGroup> {
  if (!create) return await readDescription(admin, name, "--create makes it");
  const listed = (await admin.groups.list()).some(({ groupId }) => groupId === name);
  return listed
    ? await readDescription(admin, name)
    : { groupId: name, type: "classic", members: [] };
}

async function plan(
  admin: Admin,
  group: SeekGroup,
  destination: Destination,
  wanted: readonly WantedOffset[] | null,
  topics: readonly string[],
): Promise<Move[]> {
  // What is to be made has no positions, and a broker may say so with an error.
  const positions = await readPositions(admin, group.groupId, group.type);
  const targets = await findTargets(admin, wanted ?? positions, topics);
  if (targets.length === 0) {
    const why = wanted === null ? "it has no offsets" : "none of the topics is there";
    throw new OperatorError(
      `there is nothing to seek in group "${group.groupId}"`,
      why,
      "name topics with --topic",
    );
  }
  const facts = await readSeekFacts(admin, targets, positions, wanted, destination);
  const moves = facts.map((each) => ({ each, move: planMove(each, destination) }));
  const stuck = moves.find(({ move }) => move === null)?.each;
  // A share group has partitions in which it has not begun; nobody asked to shift those.
  const isAsked = topics.length > 0 || moves.every(({ move }) => move === null);
  if (stuck !== undefined && isAsked) {
    throw new OperatorError(
      `cannot shift ${stuck.topic}:${stuck.partition}`,
      `group "${group.groupId}" has no offset there`,
      "leave it out, or use --to",
    );
  }
  return moves.flatMap(({ move }) => move ?? []);
}

async function execute(admin: Admin, group: SeekGroup, moves: readonly Move[]): Promise<void> {
  const offsets = moves.map(({ topic, partition, newOffset }) => ({
    topic,
    partition,
    offset: BigInt(newOffset),
  }));
  try {
    if (group.type === "share") await admin.groups.alterShareOffsets(group.groupId, offsets);
    else await admin.groups.alterOffsets(group.groupId, offsets);
  } catch (error) {
    throw refusal(`cannot set the offsets of group "${group.groupId}"`, error);
  }
}

/** `group "billing" has 2 live members`; null if it has none. */
function membersOf({ groupId, members }: SeekGroup): string | null {
  return members.length === 0
    ? null
    : `group "${groupId}" has ${count(members.length, "live member")}`;
}

/** A table of them. */
export function formatMoves(moves: readonly Move[]): string {
  const note: Column<Move>[] = moves.some((move) => move.note !== null)
    ? [{ title: "NOTE", cell: (move) => move.note }]
    : [];
  return formatTable(moves, [
    { title: "TOPIC", cell: ({ topic }) => topic },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "CURRENT", cell: ({ currentOffset }) => currentOffset, right: true },
    { title: "NEW", cell: ({ newOffset }) => newOffset, right: true },
    { title: "CHANGE", cell: change, right: true },
    ...note,
  ]);
}

function change({ currentOffset, newOffset }: Move): string | null {
  if (currentOffset === null) return null;
  const by = newOffset - currentOffset;
  return by > 0 ? `+${by}` : String(by);
}
