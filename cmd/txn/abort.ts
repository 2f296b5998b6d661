import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { findTargets } from "../group/seek-targets.ts";
import { formatFacts, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import { formatTransaction, viewOf } from "./describe.ts";
import { formatDuration } from "./duration.ts";
import { readTransaction } from "./missing.ts";
import { findOpenTransactions, openTransactionJson } from "../../client/admin/open-transactions.ts";
import type { OpenTransaction } from "../../client/admin/open-transactions.ts";

/** Options of `txn abort`. */
export interface AbortOptions extends AdminOptions {
  readonly partition?: string | undefined;
  readonly startOffset?: number | undefined;
  readonly force?: boolean | undefined;
  readonly execute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream txn abort`. */
export async function abortTransaction(
  id: string | undefined,
  options: AbortOptions,
): Promise<void> {
  if ((id === undefined) === (options.partition === undefined)) {
    const what = id === undefined ? "it is not said what to abort" : "that is two transactions";
    throw new OperatorError(what, "", "give a transactional id or --partition", 2);
  }
  if (id !== undefined && options.startOffset !== undefined) {
    throw new OperatorError("--start-offset goes with --partition only", "", "leave it out", 2);
  }
  await withAdmin(options, async (admin) => {
    if (id !== undefined) await abortById(admin, id, options);
    else await abortInPartition(admin, options.partition ?? "", options);
  });
  if (!options.execute) say("kstream: nothing is aborted yet: add --execute to do it");
}

/** Through the coordinator, which writes the markers and fences the producer. */
async function abortById(admin: Admin, id: string, options: AbortOptions): Promise<void> {
  const view = await viewOf(admin, await readTransaction(admin, id));
  if (view.state !== "Ongoing" && !options.force) {
    throw new OperatorError(
      `"${id}" has no open transaction`,
      `its state is ${view.state}`,
      "--force fences its producer all the same",
    );
  }
  if (options.execute) {
    try {
      await admin.transactions.terminate(id);
    } catch (error) {
      throw refusal(`cannot abort the transaction of "${id}"`, error);
    }
  }
  const executed = options.execute === true;
  if (options.json) return await printJson({ executed, ...view });
  await print(executed ? `aborted the transaction of ${id}\n` : formatTransaction(view));
}

/** Past the coordinator, by a marker. */
async function abortInPartition(
  admin: Admin,
  text: string,
  options: AbortOptions,
): Promise<void> {
  const transaction = await choose(admin, text, options);
  const { producer, transactionalId } = transaction;
  const place = `${producer.topic}:${producer.partition}`;
  if (transactionalId !== null && !options.force) {
    throw new OperatorError(
      `the transaction in ${place} does not hang`,
      `it is one of "${transactionalId}"`,
      `end it with: kstream txn abort ${transactionalId}`,
    );
  }
  if (options.execute) {
    try {
      await admin.transactions.abort(producer);
    } catch (error) {
      throw refusal(`cannot abort the transaction in ${place}`, error);
    }
  }
  const executed = options.execute === true;
  if (options.json) return await printJson({ executed, ...openTransactionJson(transaction) });
  await print(
    executed
      ? `aborted the transaction in ${place} that began at offset ${transaction.startOffset}\n`
      : format(transaction),
  );
}

async function choose(
  admin: Admin,
  text: string,
  { startOffset }: AbortOptions,
): Promise<OpenTransaction> {
  const targets = await findTargets(admin, [], [text]);
  const target = targets[0];
  if (target === undefined || targets.length > 1) {
    throw new OperatorError(`"${text}" is not one partition`, "", "write it as orders:0", 2);
  }
  const partition = { topic: target.topic, partitions: [target.partition] };
  const open = await findOpenTransactions(admin, [partition], 0, clientIo.clock.wallMs());
  const chosen = startOffset === undefined
    ? open
    : open.filter((each) => each.startOffset === startOffset);
  if (chosen.length === 1 && chosen[0] !== undefined) return chosen[0];
  const begins = open.map((each) => each.startOffset).toSorted((a, b) => a - b).join(", ");
  if (chosen.length > 1) {
    const hint = "choose one with --start-offset";
    throw new OperatorError(`several transactions are open in ${text}`, `from ${begins}`, hint);
  }
  const where = startOffset === undefined ? "" : ` from offset ${startOffset}`;
  throw new OperatorError(
    `no transaction is open in ${text}${where}`,
    open.length === 0 ? "" : `there are some from ${begins}`,
    "see: kstream txn hanging",
  );
}

function format({ producer, startOffset, transactionalId }: OpenTransaction): string {
  const idle = formatDuration(clientIo.clock.wallMs() - producer.lastTimestampMs);
  return `${producer.topic}:${producer.partition}\n` + formatFacts([
    ["start offset", String(startOffset)],
    ["producer", `${producer.producerId}, epoch ${producer.producerEpoch}`],
    ["last record", `${new Date(producer.lastTimestampMs).toISOString()}, ${idle} ago`],
    ["transactional id", transactionalId ?? "none: it hangs"],
  ]);
}
