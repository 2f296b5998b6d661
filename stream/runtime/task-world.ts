/** What tasks of a member run in: where they write, and what becomes of records that fail. */
import { asError } from "../../core/as-error.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { CacheBudget } from "../stores/cache-budget.ts";
import type { RawRecord } from "../record.ts";
import type { NodeCounts } from "../task/node-counts.ts";
import { type FailureKind, ProcessingError } from "../task/running-nodes.ts";
import type { Output, TaskWorld } from "../task/task.ts";
import type { TimestampExtractor } from "../task/timestamp-extractor.ts";
import { letterOf } from "./dead-letters.ts";
import type { OnFailure, StreamsConfig } from "./streams-config.ts";
import type { TaskStores } from "./task-stores.ts";
import { internalName } from "./topic-plan.ts";

/** Counts for those who look on. */
export interface TaskFigures {
  /** Records that were left out: late, without a key, unreadable, failed. */
  dropped: number;
  /** Of those, dead letters. */
  letters: number;
}

/** What all tasks of a member share. */
export interface SharedWorld {
  readonly clock: Clock;
  readonly config: StreamsConfig;
  readonly output: Output;
  readonly budget: CacheBudget;
  readonly logger: Logger;
  readonly figures: TaskFigures;
  readonly counts: NodeCounts;
  readonly timestampExtractor: TimestampExtractor | null;
  /** Those of the application's `GlobalTask`; null: it has none, or this is it. */
  readonly globalStores: ReadonlyMap<string, unknown> | null;
  requestCommit(): void;
}

/** See the head of the file. */
export function taskWorld(
  shared: SharedWorld,
  taskId: string,
  stores: Pick<TaskStores, "open">,
): TaskWorld {
  const { clock, config, output, budget, logger, figures, counts } = shared;
  const handlers: Readonly<Record<FailureKind, OnFailure>> = {
    deserialization: config.onUnreadable,
    processing: config.onProcessingError,
    production: config.onProductionError,
  };
  const leaveOut = (
    kind: FailureKind,
    what: string,
    node: string,
    raw: RawRecord | null,
    error: unknown,
  ) => {
    const onFailure = handlers[kind];
    if (onFailure === "fail") throw new ProcessingError(node, error, raw, kind);
    figures.dropped++;
    // What a punctuator has failed with has no record behind it.
    if (onFailure === "dlq" && raw !== null) {
      figures.letters++;
      output.send(letterOf(config.deadLetterTopic!, raw, error));
    }
    logger.warn(what, { task: taskId, node, ...placeOf(raw), error: asError(error).message });
  };
  return {
    output,
    counts,
    keepsRead: [handlers.processing, handlers.production].includes("dlq"),
    wallMs: () => clock.wallMs(),
    internalTopic: (name) => internalName(config.applicationId, name),
    openStore: (spec, onChange, context) => {
      const topic = internalName(config.applicationId, `${spec.name}-changelog`);
      return stores.open(spec, topic, onChange, context, budget);
    },
    requestCommit: () => shared.requestCommit(),
    dropped: (node, reason, origin) => {
      figures.dropped++;
      logger.debug("record left out", { task: taskId, node, reason, ...placeOf(origin) });
    },
    unreadable: (raw, part, error) =>
      leaveOut("deserialization", `a record's ${part} cannot be read`, raw.topic, raw, error),
    failed: (node, raw, error) =>
      leaveOut("processing", "a step failed with a record", node, raw, error),
    unwritable: (node, raw, error) =>
      leaveOut("production", "a record cannot be written", node, raw, error),
    ...(shared.globalStores !== null && { globalStores: shared.globalStores }),
    ...(shared.timestampExtractor !== null && { timestampExtractor: shared.timestampExtractor }),
  };
}

/** Where a record was read; nothing of what is in it. */
export function placeOf(
  origin: Pick<RawRecord, "topic" | "partition" | "offset"> | null,
): Readonly<Record<string, string | number | bigint>> {
  if (origin === null) return {};
  return { topic: origin.topic, partition: origin.partition, offset: origin.offset };
}
