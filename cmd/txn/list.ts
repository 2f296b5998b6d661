import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";

/** Options of `txn list`. */
export interface ListOptions extends AdminOptions {
  /** Empty: all. */
  readonly state: readonly string[];
  readonly producerId?: number | undefined;
  readonly id?: string | undefined;
  /** Milliseconds. */
  readonly longer?: number | undefined;
  readonly json?: boolean | undefined;
}

/** Brokers take an id without a transaction for one that has been running since 1970. */
const RUNNING = ["Ongoing", "PrepareCommit", "PrepareAbort"];

/** `kstream txn list`. */
export async function listTransactions(options: ListOptions): Promise<void> {
  const { state, producerId, id, longer } = options;
  const listed = await withAdmin(options, async (admin) => {
    try {
      return await admin.transactions.list({
        states: longer === undefined || state.length > 0 ? state : RUNNING,
        ...(producerId === undefined ? {} : { producerIds: [BigInt(producerId)] }),
        ...(id === undefined ? {} : { idPattern: id }),
        ...(longer === undefined ? {} : { longerThanMs: longer }),
      });
    } catch (error) {
      throw refusal("cannot list transactions", error);
    }
  });
  const rows = listed.map((each) => ({
    transactionalId: each.transactionalId,
    state: each.state,
    producerId: Number(each.producerId),
    coordinator: each.coordinator,
  }));
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "TRANSACTIONAL ID", cell: ({ transactionalId }) => transactionalId },
    { title: "STATE", cell: (row) => row.state },
    { title: "PRODUCER ID", cell: (row) => row.producerId, right: true },
    { title: "COORDINATOR", cell: ({ coordinator }) => coordinator, right: true },
  ]));
}
