/** A transactional id: what it has open, since when, and how it is ended by force. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { TypedConfirmation } from "../components/form.tsx";
import { Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path, send } from "../data/api.ts";
import { count, span, time } from "../data/format.ts";
import type { TransactionView } from "../data/model.ts";
import { useNow } from "../data/use-now.ts";
import { useResource } from "../data/use-resource.ts";
import { href, useRoute } from "../router.ts";
import { ageOf, TransactionState } from "./transactions.tsx";

const EVERY_MS = 2000;

export function TransactionPage() {
  const { params } = useRoute();
  const id = params["transaction"] ?? "";
  const { data, problem, reload } = useResource(at("/v1/transactions/:id", { id }), EVERY_MS);
  return (
    <>
      <p class="crumbs">
        <a href={href("/transactions")}>Transactions</a>
      </p>
      <div class="row">
        <h1>{id}</h1>
        {data?.state === "Ongoing" && <Abort transaction={data} onDone={reload} />}
      </div>
      {problem?.status === 404
        ? <Empty title="There is no such transactional id" />
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && <Details transaction={data} />}
    </>
  );
}

type Place = TransactionView["partitions"][number];

const COLUMNS: readonly Column<Place>[] = [
  {
    name: "Topic",
    show: ({ topic }) => <a href={href(path(["topics", topic, "partitions"]))}>{topic}</a>,
    by: ({ topic }) => topic,
  },
  { name: "Partitions", show: ({ partitions }) => partitions.join(", ") },
];

function Details({ transaction }: { transaction: TransactionView }) {
  const { state, startTimeMs, timeoutMs, producerId, producerEpoch, coordinator } = transaction;
  const ageMs = ageOf(startTimeMs, useNow(1000));
  return (
    <>
      <dl class="figures">
        <Figure name="State" value={<TransactionState {...{ state, ageMs, timeoutMs }} />} />
        <Figure
          name="Running for"
          value={span(ageMs)}
          {...(startTimeMs === null ? {} : { note: `since ${time(startTimeMs)}` })}
        />
        <Figure name="Timeout" value={span(timeoutMs)} />
        <Figure name="Producer id" value={String(producerId)} note={`epoch ${producerEpoch}`} />
        <Figure
          name="Coordinator"
          value={<a href={href(path(["brokers", coordinator]))}>broker {coordinator}</a>}
        />
      </dl>
      <h2>Partitions of the transaction</h2>
      {transaction.partitions.length === 0
        ? <Empty title="No transaction is open, so no partition is held back" />
        : (
          <Table
            label="Partitions of the transaction"
            items={transaction.partitions}
            columns={COLUMNS}
            keyOf={({ topic }) => topic}
          />
        )}
    </>
  );
}

function Abort({ transaction, onDone }: { transaction: TransactionView; onDone: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const { transactionalId: id, partitions } = transaction;
  const abort = async () => {
    await send("POST", at("/v1/transactions/:id/abort", { id }));
    setAsking(false);
    onDone();
  };
  return (
    <div class="row end">
      <button type="button" class="danger" onClick={() => setAsking(true)}>Abort…</button>
      {isAsking && (
        <Dialog title="Abort the transaction" onClose={() => setAsking(false)}>
          <TypedConfirmation name={id} action="Abort" onConfirm={abort}>
            <p>
              What it has written to{" "}
              {count(partitions.reduce((sum, each) => sum + each.partitions.length, 0))}{" "}
              partitions is never seen by readers of committed records. Its producer is fenced: it
              gets an error with its next request, and has to begin anew.
            </p>
          </TypedConfirmation>
        </Dialog>
      )}
    </div>
  );
}
