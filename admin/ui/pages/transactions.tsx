/** Transactional ids and what they have open; what hangs is looked for when somebody asks. */
import { FilterBar } from "../components/filter.tsx";
import {
  Badge,
  Command,
  Empty,
  Loading,
  NoneListed,
  NotForYou,
  ProblemNote,
} from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path } from "../data/api.ts";
import { count, span } from "../data/format.ts";
import type { TransactionItem } from "../data/model.ts";
import { useLatest, useResource, useSettled } from "../data/use-resource.ts";
import { useNow } from "../data/use-now.ts";
import { href, useQueryState } from "../router.ts";
import { HangingTransactions } from "./hanging-transactions.tsx";

const TRANSACTIONS_MAX = 1000;
const EVERY_MS = 3000;
/** Kafka's states of transactional ids. */
const STATES = [
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Empty",
] as const;
/** Coordinators look each ten seconds for what is over its time (Kafka's default). */
const GRACE_MS = 30_000;

const linkOf = ({ transactionalId }: { transactionalId: string }) =>
  path(["transactions", transactionalId]);

/** For how long it has been running; null: it is not. */
export function ageOf(startTimeMs: number | null, nowMs: number): number | null {
  return startTimeMs === null ? null : Math.max(0, nowMs - startTimeMs);
}

/** A state in its colour, and whether it should have ended. */
export function TransactionState({ state, ageMs, timeoutMs }: {
  state: string;
  ageMs: number | null;
  timeoutMs: number | null;
}) {
  const isLate = ageMs !== null && timeoutMs !== null && ageMs > timeoutMs + GRACE_MS;
  const tone = state === "Ongoing" ? "good" : state.startsWith("Prepare") ? "warn" : "plain";
  return (
    <>
      <Badge tone={tone} text={state} />
      {isLate && (
        <span class="note">
          <Badge tone="bad" text="past its timeout" />
        </span>
      )}
    </>
  );
}

function columnsOf(nowMs: number): readonly Column<TransactionItem>[] {
  return [
    {
      name: "Transactional id",
      show: (each) => <a href={href(linkOf(each))} tabIndex={-1}>{each.transactionalId}</a>,
      by: ({ transactionalId }) => transactionalId,
    },
    {
      name: "State",
      show: ({ state, startTimeMs, timeoutMs }) => (
        <TransactionState {...{ state, timeoutMs }} ageMs={ageOf(startTimeMs, nowMs)} />
      ),
      by: ({ state }) => state,
    },
    {
      name: "Running for",
      show: ({ startTimeMs }) => startTimeMs === null ? "" : span(ageOf(startTimeMs, nowMs)),
      by: ({ startTimeMs }) => ageOf(startTimeMs, nowMs) ?? -1,
      isNumber: true,
    },
    {
      name: "Timeout",
      show: ({ timeoutMs }) => timeoutMs === null ? "" : span(timeoutMs),
      by: ({ timeoutMs }) => timeoutMs ?? -1,
      isNumber: true,
      isMinor: true,
    },
    { name: "Producer id", show: ({ producerId }) => producerId, isNumber: true, isMinor: true },
    {
      name: "Coordinator",
      show: ({ coordinator }) => <a href={href(path(["brokers", coordinator]))}>{coordinator}</a>,
      by: ({ coordinator }) => coordinator,
      isNumber: true,
      isMinor: true,
    },
  ];
}

export function TransactionsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const [state, setState] = useQueryState("state");
  const nowMs = useNow(1000);
  const wanted = useSettled(filter, 150);
  const url = at("/v1/transactions", { limit: TRANSACTIONS_MAX, filter: wanted, state });
  const { data: answered, problem, reload } = useResource(url, EVERY_MS);
  const data = useLatest(answered);
  const items = data?.transactions ?? [];
  const more = data !== null && data.nextCursor !== null;
  return (
    <>
      <h1>Transactions</h1>
      <FilterBar
        label="Filter transactions"
        placeholder="A part of the transactional id"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : `${count(items.length)}${more ? ", and more: filter" : ""}`}
      >
        <select
          aria-label="State"
          value={state}
          onChange={(event) => setState(event.currentTarget.value)}
        >
          <option value="">All states</option>
          {STATES.map((each) => <option key={each} value={each}>{each}</option>)}
        </select>
      </FilterBar>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && items.length === 0 && (
        <NoneListed what="transactions">
          <NoTransactions filter={wanted} state={state} />
        </NoneListed>
      )}
      {items.length > 0 && <NotForYou what="transactions" />}
      {items.length > 0 && (
        <Table
          label="Transactions"
          items={items}
          columns={columnsOf(nowMs)}
          keyOf={({ transactionalId }) => transactionalId}
          linkOf={linkOf}
        />
      )}
      <HangingTransactions />
    </>
  );
}

function NoTransactions({ filter, state }: { filter: string; state: string }) {
  if (filter !== "") return <Empty title={`No transactional id has “${filter}” in it`} />;
  if (state !== "") return <Empty title={`No transactional id is ${state}`} />;
  return (
    <Empty title="There are no transactional ids">
      <p>A producer that writes in transactions has one, as this one:</p>
      <Command text="kstream produce orders --resume shop orders.ndjson" />
    </Empty>
  );
}
