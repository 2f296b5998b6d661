import { OperatorError } from "../../core/operator-error.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { type Column, formatBytes, formatTable, print, printJson } from "../output.ts";

/** Options of `topic undo`. */
export interface UndoOptions extends AdminApiOptions {
  readonly as?: string | undefined;
  readonly json?: boolean | undefined;
}

/** A deleted topic, or purged records, as `/v1/trash` tells of it. */
interface TrashedTopic {
  readonly kind: string;
  readonly id: string;
  readonly topic: string;
  readonly topicId: string;
  readonly deletedMs: number;
  readonly untilMs: number;
  readonly sizeBytes: number;
  readonly partitions: number;
}

const COLUMNS: readonly Column<TrashedTopic>[] = [
  { title: "TOPIC", cell: ({ topic }) => topic },
  { title: "WAS", cell: ({ kind }) => kind },
  { title: "ID", cell: ({ id }) => id },
  { title: "PARTITIONS", cell: ({ partitions }) => partitions, right: true },
  { title: "SIZE", cell: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
  { title: "AT", cell: ({ deletedMs }) => new Date(deletedMs).toISOString() },
  { title: "KEPT UNTIL", cell: ({ untilMs }) => new Date(untilMs).toISOString() },
];

/** `kstream topic undo`: lists what can come back, or brings back the last thing of that name or id. */
export async function undoTopic(name: string | undefined, options: UndoOptions): Promise<void> {
  const topics = topicsIn(await askAdmin(options, { method: "GET", path: "/v1/trash" }));
  if (name === undefined) {
    if (options.as !== undefined) {
      throw new OperatorError("--as needs a topic", "", "name the one to restore", 2);
    }
    return await (options.json ? printJson(topics) : print(formatTable(topics, COLUMNS)));
  }
  // The latest comes first.
  const found = topics.find(({ id }) => id === name) ??
    topics.find(({ topic, topicId }) => topic === name || topicId === name);
  if (found === undefined) throw notInTrash(name, topics);
  if (found.kind === "purged" && options.as !== undefined) {
    const why = `the last thing done to topic "${found.topic}" was to purge it`;
    throw new OperatorError("--as is for deleted topics", why, "leave it out", 2);
  }
  const restored = await askAdmin(options, {
    method: "POST",
    path: `/v1/trash/${encodeURIComponent(found.id)}/restore`,
    body: options.as === undefined ? {} : { as: options.as },
  }).catch((error: unknown) => {
    throw refusalOf(name, error);
  });
  if (options.json) return await printJson(restored);
  const what = found.kind === "purged" ? "the purged records of topic" : "topic";
  await print(`restored ${what} ${options.as ?? found.topic}\n`);
}

function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof OperatorError) || error.exitCode !== 1) return error;
  const advice = error.message.includes("already exists") ? "--as gives it another name" : "";
  return new OperatorError(`cannot restore topic "${name}"`, error.message, advice);
}

function notInTrash(name: string, topics: readonly TrashedTopic[]): OperatorError {
  const near = didYouMean(name, topics.map(({ topic }) => topic));
  const hint = near === null ? "see: kstream topic undo" : `did you mean "${near}"?`;
  return new OperatorError(`topic "${name}" is not in the trash`, "", hint);
}

/** This program and the broker may differ by a version, so what is printed is looked at. */
function topicsIn(answer: unknown): TrashedTopic[] {
  const isStruct = typeof answer === "object" && answer !== null && "topics" in answer;
  if (isStruct && Array.isArray(answer.topics) && answer.topics.every(isTopic)) {
    return answer.topics;
  }
  throw new OperatorError(
    "the admin API's answer cannot be read",
    "it lists what can be restored in another form",
    "use a kstream of the broker's version",
  );
}

function isTopic(value: unknown): value is TrashedTopic {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ["kind", "id", "topic", "topicId"].every((name) => typeof fields.get(name) === "string") &&
    ["deletedMs", "untilMs", "sizeBytes", "partitions"].every((name) =>
      typeof fields.get(name) === "number"
    );
}
