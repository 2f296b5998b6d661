import type { Admin, TransactionDescription } from "../../client/admin.ts";
import { KafkaError, TimeoutError, UnsupportedError } from "../../client/errors.ts";
import { throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { formatFacts, formatTable, print, printJson } from "../output.ts";
import { formatDuration } from "./duration.ts";
import { readTransaction } from "./missing.ts";

/** Options of `txn describe`. */
export interface DescribeOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** A partition of a transaction; null where it is not open there, or could not be learnt. */
interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number | null;
  readonly heldRecords: number | null;
}

/** A transactional id as `txn describe --json` shows it. */
export interface TransactionView {
  readonly transactionalId: string;
  readonly state: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinator: number;
  readonly timeoutMs: number;
  readonly startTimeMs: number | null;
  readonly partitions: readonly PartitionView[];
}

/** `kstream txn describe`. */
export async function describeTransactions(
  ids: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const views: TransactionView[] = [];
    const failures: unknown[] = [];
    for (const id of new Set(ids)) {
      try {
        views.push(await viewOf(admin, await readTransaction(admin, id)));
      } catch (error) {
        failures.push(error);
      }
    }
    if (options.json) await printJson(views);
    else await print(views.map(formatTransaction).join("\n"));
    throwFailures(failures);
  });
}

/** With what its partitions tell of it. */
export async function viewOf(
  admin: Admin,
  description: TransactionDescription,
): Promise<TransactionView> {
  const { producerId, partitions } = description;
  const all = partitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition }))
  );
  const keyOf = (at: { topic: string; partition: number }) => `${at.topic}:${at.partition}`;
  const starts = new Map(
    (await orNothing(() => admin.transactions.producers(partitions)))
      .filter((producer) => producer.producerId === producerId)
      .map((producer) => [keyOf(producer), producer.txnStartOffset]),
  );
  const ends = new Map(
    (await orNothing(() =>
      admin.listOffsets(all.map((each) => ({ ...each, at: "latest" as const })))
    )).filter(({ error }) => error === null).map((at) => [keyOf(at), at.offset]),
  );
  return {
    transactionalId: description.transactionalId,
    state: description.state,
    producerId: Number(producerId),
    producerEpoch: description.producerEpoch,
    coordinator: description.coordinator,
    timeoutMs: description.timeoutMs,
    startTimeMs: description.startTimeMs,
    partitions: all.map((each) => {
      const start = starts.get(keyOf(each)) ?? null;
      const end = ends.get(keyOf(each)) ?? null;
      return {
        ...each,
        startOffset: start === null ? null : Number(start),
        heldRecords: start === null || end === null ? null : Math.max(0, Number(end - start)),
      };
    }),
  };
}

/** Who may look at a transaction need not be allowed to look at its topics. */
async function orNothing<T>(ask: () => Promise<T[]>): Promise<T[]> {
  try {
    return await ask();
  } catch (error) {
    const isPart = error instanceof KafkaError || error instanceof TimeoutError ||
      error instanceof UnsupportedError;
    if (isPart) return [];
    throw error;
  }
}

/** Facts, and the partitions where there are any. */
export function formatTransaction(view: TransactionView): string {
  const { startTimeMs } = view;
  const facts: [string, string][] = [
    ["state", view.state],
    ["producer", `${view.producerId}, epoch ${view.producerEpoch}`],
    ["coordinator", String(view.coordinator)],
    ["timeout", formatDuration(view.timeoutMs)],
  ];
  if (startTimeMs !== null) {
    const ago = formatDuration(clientIo.clock.wallMs() - startTimeMs);
    facts.push(["started", `${new Date(startTimeMs).toISOString()}, ${ago} ago`]);
  }
  const table = view.partitions.length === 0 ? "" : "\n" + formatTable(view.partitions, [
    { title: "  TOPIC", cell: ({ topic }) => `  ${topic}` },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "FIRST", cell: ({ startOffset }) => startOffset, right: true },
    { title: "HELD", cell: ({ heldRecords }) => heldRecords, right: true },
  ]);
  return `${view.transactionalId}\n${formatFacts(facts)}${table}`;
}
