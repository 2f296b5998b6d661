import type { Admin } from "../../client/admin.ts";
import type { TopicPartitions } from "../../client/group-protocol.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { findTargets } from "../group/seek-targets.ts";
import { formatTable, print, printJson } from "../output.ts";
import { formatDuration } from "./duration.ts";
import {
  findOpenTransactions,
  openTransactionJson,
  servedPartitions,
} from "../../client/admin/open-transactions.ts";

/** Options of `txn hanging`. */
export interface HangingOptions extends AdminOptions {
  /** Milliseconds. */
  readonly longer: number;
  readonly json?: boolean | undefined;
}

/** `kstream txn hanging`. */
export async function findHanging(
  specs: readonly string[],
  options: HangingOptions,
): Promise<void> {
  const nowMs = clientIo.clock.wallMs();
  const open = await withAdmin(options, async (admin) => {
    const partitions = await partitionsOf(admin, specs);
    try {
      return await findOpenTransactions(admin, partitions, options.longer, nowMs);
    } catch (error) {
      throw refusal("cannot look for transactions that hang", error);
    }
  });
  const hanging = open.filter(({ transactionalId }) => transactionalId === null);
  if (options.json) return await printJson(hanging.map(openTransactionJson));
  await print(formatTable(hanging, [
    { title: "TOPIC", cell: ({ producer }) => producer.topic },
    { title: "PARTITION", cell: ({ producer }) => producer.partition, right: true },
    { title: "START OFFSET", cell: ({ startOffset }) => startOffset, right: true },
    { title: "PRODUCER ID", cell: ({ producer }) => producer.producerId, right: true },
    { title: "EPOCH", cell: ({ producer }) => producer.producerEpoch, right: true },
    { title: "IDLE", cell: ({ producer }) => formatDuration(nowMs - producer.lastTimestampMs) },
  ]));
}

async function partitionsOf(admin: Admin, specs: readonly string[]): Promise<TopicPartitions[]> {
  if (specs.length > 0) {
    const targets = await findTargets(admin, [], specs);
    return targets.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
  }
  return await servedPartitions(admin);
}
