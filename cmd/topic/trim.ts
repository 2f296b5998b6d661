import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, OffsetSpec } from "../../client/admin.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import type { OffsetPoint } from "../../core/text/offset-range.ts";
import { findTargets } from "../group/seek-targets.ts";
import type { Target } from "../group/seek-targets.ts";
import { count, formatTable, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import { parsePlace } from "../time-options.ts";

/** Options of `topic trim`. */
export interface TrimOptions extends AdminOptions {
  readonly before: string;
  readonly utc?: boolean | undefined;
  readonly execute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What becomes of a partition. */
export interface Trim {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Records below it go. */
  readonly newStartOffset: number;
  /** Offsets that go; where a topic is compacted there may be fewer records. */
  readonly offsets: number;
}

/** `kstream topic trim`: deletes the oldest records of topics, or shows which it would. */
export async function trimTopics(specs: readonly string[], options: TrimOptions): Promise<void> {
  const place = parsePlace(options.before, options.utc ?? false);
  await withAdmin(options, async (admin) => {
    const targets = await findTargets(admin, [], specs);
    const trims = await planTrims(admin, targets, place);
    const failures = options.execute ? await executeTrims(admin, trims) : [];
    if (options.json) {
      await printJson({ executed: options.execute === true, partitions: trims });
    } else await print(formatTrims(trims));
    throwFailures(failures);
    if (options.execute) return;
    const offsets = trims.reduce((sum, trim) => sum + trim.offsets, 0);
    say(
      `kstream: nothing is deleted yet: add --execute to delete ${
        count(offsets, "record")
      } for good`,
    );
  });
}

/** What would go of these partitions. */
export async function planTrims(
  admin: Admin,
  targets: readonly Target[],
  place: OffsetPoint,
): Promise<Trim[]> {
  const ask = async (at: OffsetSpec) => {
    const answers = await admin.listOffsets(targets.map((target) => ({ ...target, at })));
    return answers.map(({ topic, partition, offset, error }) => {
      if (error !== null) {
        throw refusal(`cannot get the offsets of ${topic}:${partition}`, error);
      }
      return Number(offset);
    });
  };
  const [starts, ends, times] = await Promise.all([
    ask("earliest"),
    ask("latest"),
    place.kind === "time" ? ask(Math.max(0, Math.round(place.timestampMs))) : [],
  ]);
  return targets.map((target, i) => {
    const startOffset = starts[i] ?? 0;
    const endOffset = ends[i] ?? 0;
    const wanted = wantedStart(place, startOffset, endOffset, times[i] ?? -1);
    const newStartOffset = Math.min(Math.max(wanted, startOffset), endOffset);
    const offsets = newStartOffset - startOffset;
    return { ...target, startOffset, endOffset, newStartOffset, offsets };
  });
}

/** `atTime`: the first offset at or after the time, −1 if no record is that young. */
function wantedStart(place: OffsetPoint, start: number, end: number, atTime: number): number {
  switch (place.kind) {
    case "start":
      return start + Number(place.plus);
    case "end":
      return end - Number(place.minus);
    case "offset":
      return Number(place.offset);
    case "time":
      return atTime < 0 ? end : atTime;
  }
}

/** Deletes; the failures. */
export async function executeTrims(admin: Admin, trims: readonly Trim[]): Promise<unknown[]> {
  const wanted = trims.filter(({ offsets }) => offsets > 0);
  const results = await admin.deleteRecords(
    wanted.map(({ topic, partition, newStartOffset }) => ({
      topic,
      partition,
      before: BigInt(newStartOffset),
    })),
  );
  const failures = results.flatMap(({ topic, partition, error }) =>
    error === null ? [] : [refusal(`cannot trim ${topic}:${partition}`, error)]
  );
  if (failures.length === 0 || failures.length === wanted.length) return failures;
  const done = wanted.length - failures.length;
  const what = `${count(done, "partition")} of ${wanted.length} trimmed`;
  return [...failures, new OperatorError(what, "", "run it again for the rest", 4)];
}

/** A table. */
export function formatTrims(trims: readonly Trim[]): string {
  return formatTable(trims, [
    { title: "TOPIC", cell: ({ topic }) => topic },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "START", cell: ({ startOffset }) => startOffset, right: true },
    { title: "END", cell: ({ endOffset }) => endOffset, right: true },
    { title: "NEW START", cell: ({ newStartOffset }) => newStartOffset, right: true },
    { title: "DELETED", cell: ({ offsets }) => offsets, right: true },
  ]);
}
