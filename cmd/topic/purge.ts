import type { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { findTargets } from "../group/seek-targets.ts";
import { count, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import { executeTrims, formatTrims, planTrims, type Trim } from "./trim.ts";

/** Options of `topic purge`. */
export interface PurgeOptions extends AdminOptions, AdminApiOptions {
  readonly execute?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly forGood?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What was done. */
interface Purged {
  readonly partitions: readonly Trim[];
  readonly failures: readonly unknown[];
}

/**
 * `kstream topic purge`: deletes all records of topics, or shows how many. The topics stay. On
 * kstream that can be undone; elsewhere, and with `--for-good`, it is DeleteRecords.
 */
export async function purgeTopics(
  specs: readonly string[],
  options: PurgeOptions,
): Promise<void> {
  const isExecuted = options.execute === true || options.yes === true;
  await withAdmin(options, async (admin) => {
    const targets = await findTargets(admin, [], specs);
    const plan = await planTrims(admin, targets, { kind: "end", minus: 0n });
    const isUndoable = options.forGood !== true && await isKept(admin);
    const { partitions, failures } = !isExecuted
      ? { partitions: plan, failures: [] }
      : isUndoable
      ? await purgeKept(admin, plan, options)
      : { partitions: plan, failures: await executeTrims(admin, plan) };
    if (options.json) {
      await printJson({ executed: isExecuted, undoable: isUndoable, partitions });
    } else await print(formatTrims(partitions));
    throwFailures(failures);
    const offsets = partitions.reduce((sum, purge) => sum + purge.offsets, 0);
    const records = count(offsets, "record");
    if (!isExecuted) {
      const way = isUndoable ? "; topic undo brings them back" : " for good";
      return say(`kstream: nothing is deleted yet: add --execute to delete ${records}${way}`);
    }
    say(
      isUndoable
        ? `kstream: ${records} purged: kstream topic undo brings them back`
        : `kstream: ${records} deleted for good`,
    );
  });
}

/** Whether the cluster keeps what is purged: Kafka has no such config. */
async function isKept(admin: Admin): Promise<boolean> {
  const name = "kstream.trash.ms";
  const broker = String(admin.cluster.brokers.keys().next().value ?? 0);
  try {
    const configs = await admin.describeConfigs({ type: "broker", name: broker }, {
      names: [name],
    });
    const trashMs = configs.find((config) => config.name === name)?.value ?? "0";
    return trashMs !== "0";
  } catch (error) {
    // Who may not know it may not delete for good by mistake either.
    if (error instanceof KafkaError) return true;
    throw error;
  }
}

/** Has the broker purge them, topic by topic. Throws if that failed for all. */
async function purgeKept(
  admin: Admin,
  plan: readonly Trim[],
  options: PurgeOptions,
): Promise<Purged> {
  const partitions: Trim[] = [];
  const failures: unknown[] = [];
  for (const [topic, trims] of Map.groupBy(plan, (trim) => trim.topic)) {
    try {
      const answer = await askAdmin(options, {
        method: "POST",
        path: `/v1/topics/${encodeURIComponent(topic)}/purge`,
        body: {
          topicId: admin.cluster.cached(topic)?.topicId,
          partitions: trims.map(({ partition }) => partition),
        },
      });
      partitions.push(...withFacts(trims, purgedIn(answer)));
    } catch (error) {
      failures.push(refusalOf(topic, error));
    }
  }
  if (partitions.length === 0) throwFailures(failures);
  if (failures.length === 0) return { partitions, failures };
  const what = `${count(partitions.length, "partition")} of ${plan.length} purged`;
  failures.push(new OperatorError(what, "", "run it again for the rest", 4));
  return { partitions, failures };
}

function refusalOf(topic: string, error: unknown): unknown {
  if (!(error instanceof OperatorError)) return error;
  const isElsewhere = error.exitCode === 3 || error.what.includes("has no topic");
  const advice = isElsewhere
    ? "name the admin API of that broker with --admin, or add --for-good"
    : "--for-good deletes the records without keeping them";
  return new OperatorError(`cannot purge topic "${topic}"`, error.what, advice, error.exitCode);
}

/** What was purged as the broker tells, which may be more than was there when it was asked. */
function withFacts(trims: readonly Trim[], purged: readonly PurgedPartition[]): Trim[] {
  return trims.map((trim) => {
    const fact = purged.find(({ partition }) => partition === trim.partition);
    if (fact === undefined) return { ...trim, newStartOffset: trim.startOffset, offsets: 0 };
    const { startOffset, endOffset } = fact;
    const offsets = endOffset - startOffset;
    return { ...trim, startOffset, endOffset, newStartOffset: endOffset, offsets };
  });
}

interface PurgedPartition {
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
}

/** This program and the broker may differ by a version, so what is printed is looked at. */
function purgedIn(answer: unknown): readonly PurgedPartition[] {
  const isStruct = typeof answer === "object" && answer !== null && "partitions" in answer;
  if (isStruct && Array.isArray(answer.partitions) && answer.partitions.every(isPurged)) {
    return answer.partitions;
  }
  throw new OperatorError(
    "the admin API's answer cannot be read",
    "it tells of purges in another form",
    "use a kstream of the broker's version",
  );
}

function isPurged(value: unknown): value is PurgedPartition {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ["partition", "startOffset", "endOffset"].every((name) =>
    typeof fields.get(name) === "number"
  );
}
