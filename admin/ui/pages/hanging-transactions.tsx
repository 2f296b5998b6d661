/** Transactions that no coordinator knows of: looked for in all partitions, and ended by a marker. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Form } from "../components/form.tsx";
import { Badge, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path, send } from "../data/api.ts";
import { count, span } from "../data/format.ts";
import type { HangingTransaction } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { href, useQueryState } from "../router.ts";

/** For how long they have to be quiet, by what is said of it. */
const QUIET = [["900000", "15 minutes"], ["60000", "a minute"], ["0", "no time"]] as const;

function columnsOf(onAbort: (found: HangingTransaction) => void): Column<HangingTransaction>[] {
  return [
    {
      name: "Topic",
      show: ({ topic }) => <a href={href(path(["topics", topic, "partitions"]))}>{topic}</a>,
      by: ({ topic }) => topic,
    },
    { name: "Partition", show: ({ partition }) => partition, isNumber: true },
    { name: "From offset", show: ({ startOffset }) => count(startOffset), isNumber: true },
    { name: "State", show: () => <Badge tone="bad" text="hangs" />, isMinor: true },
    { name: "Producer id", show: ({ producerId }) => producerId, isNumber: true, isMinor: true },
    {
      name: "Quiet for",
      show: ({ lastTimestampMs }) => span(Math.max(0, Date.now() - lastTimestampMs)),
      isNumber: true,
    },
    {
      name: "Action",
      show: (found) => (
        <button type="button" class="small danger" onClick={() => onAbort(found)}>Abort…</button>
      ),
      isMinor: true,
    },
  ];
}

export function HangingTransactions() {
  const [longerMs, setLongerMs] = useQueryState("hanging");
  const [chosen, setChosen] = useState<HangingTransaction | null>(null);
  const url = longerMs === "" ? null : at("/v1/hanging-transactions", { longerMs });
  const { data, problem, reload } = useResource(url);
  return (
    <section>
      <h2>Hanging transactions</h2>
      <p class="muted">
        Open in a partition, though no coordinator knows of them: they never end by themselves, and
        readers of committed records wait behind them for ever.
      </p>
      <div class="row">
        <label class="check">
          Quiet for at least{" "}
          <select value={longerMs} onChange={(event) => setLongerMs(event.currentTarget.value)}>
            <option value="">(not looked for)</option>
            {QUIET.map(([ms, words]) => <option key={ms} value={ms}>{words}</option>)}
          </select>
        </label>
        {longerMs === ""
          ? <button type="button" onClick={() => setLongerMs(QUIET[0][0])}>Look for them</button>
          : <button type="button" onClick={reload}>Look again</button>}
      </div>
      <ProblemNote problem={problem} />
      {url !== null && data === null && problem === null && <Loading />}
      {data?.transactions.length === 0 && <Empty title="None hangs" />}
      {data !== null && data.transactions.length > 0 && (
        <Table
          label="Hanging transactions"
          items={data.transactions}
          columns={columnsOf(setChosen)}
          keyOf={({ topic, partition, startOffset }) => `${topic}/${partition}/${startOffset}`}
          onOpen={setChosen}
        />
      )}
      {chosen !== null && (
        <Abort
          found={chosen}
          onClose={() => setChosen(null)}
          onDone={() => {
            setChosen(null);
            reload();
          }}
        />
      )}
    </section>
  );
}

function Abort({ found, onClose, onDone }: {
  found: HangingTransaction;
  onClose: () => void;
  onDone: () => void;
}) {
  const { topic, partition, startOffset, producerId } = found;
  const abort = async () => {
    await send("POST", at("/v1/hanging-transactions/abort"), { topic, partition, startOffset });
    onDone();
  };
  return (
    <Dialog title="Abort the transaction" onClose={onClose}>
      <Form action="Abort" isDanger onSubmit={abort}>
        <p>
          Writes an abort marker into partition {partition} of{" "}
          <strong>{topic}</strong>: what producer {producerId} wrote from offset{" "}
          {count(startOffset)}{" "}
          on in its transaction is never seen by readers of committed records, and they go on behind
          it.
        </p>
      </Form>
    </Dialog>
  );
}
