/** Who is connected to this broker, and what they do. */
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { byteRate, count, rate, span } from "../data/format.ts";
import { at } from "../data/api.ts";
import type { ClientView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { useQueryState } from "../router.ts";

const EVERY_MS = 2000;
const COLUMNS: readonly Column<ClientView>[] = [
  {
    name: "Client id",
    show: ({ clientId }) => clientId ?? <span class="null">none</span>,
    by: ({ clientId }) => clientId ?? "",
  },
  { name: "Address", show: ({ address }) => <span class="mono">{address}</span>, isMinor: true },
  {
    name: "Software",
    show: ({ software, softwareVersion }) => [software, softwareVersion].filter(Boolean).join(" "),
    by: ({ software }) => software ?? "",
    isMinor: true,
  },
  { name: "User", show: ({ principal }) => principal, isMinor: true },
  {
    name: "Sends",
    show: ({ rates }) => rates.bytesIn >= 1 ? byteRate(rates.bytesIn) : "",
    by: ({ rates }) => rates.bytesIn,
    isNumber: true,
  },
  {
    name: "Gets",
    show: ({ rates }) => rates.bytesOut >= 1 ? byteRate(rates.bytesOut) : "",
    by: ({ rates }) => rates.bytesOut,
    isNumber: true,
  },
  {
    name: "Requests",
    show: ({ rates }) => rate(rates.requests),
    by: ({ rates }) => rates.requests,
    isNumber: true,
    isMinor: true,
  },
  { name: "Topics", show: ({ topics }) => topics.join(", "), isMinor: true },
  {
    name: "Errors",
    show: ({ errors, lastError }) => (
      <span class={errors > 0 ? "bad" : ""} title={lastError?.error}>{count(errors)}</span>
    ),
    by: ({ errors }) => errors,
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Idle",
    show: ({ idleMs }) => span(idleMs),
    by: ({ idleMs }) => idleMs,
    isNumber: true,
    isMinor: true,
  },
];

function hasText(client: ClientView, text: string): boolean {
  const { clientId, address, software, principal, topics } = client;
  return [clientId, address, software, principal, ...topics]
    .some((each) => each?.toLowerCase().includes(text.toLowerCase()));
}

export function ClientsPage() {
  const [filter, setFilter] = useQueryState("filter");
  const { data, problem, reload } = useResource(at("/v1/clients"), EVERY_MS);
  const clients = data?.clients ?? [];
  const shown = clients.filter((client) => filter === "" || hasText(client, filter));
  return (
    <>
      <h1>Clients</h1>
      <div class="bar">
        <input
          class="grow"
          type="search"
          data-filter
          aria-label="Filter clients"
          placeholder="Client id, address, user or topic"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="count" role="status">
          {data !== null && `${count(shown.length)} of ${count(clients.length)}`}
        </span>
      </div>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && clients.length === 0 && (
        <Empty title="Nobody is connected">
          <p>Any client of Kafka can connect, as this one:</p>
          <Command text="kstream consume TOPIC" />
        </Empty>
      )}
      {clients.length > 0 && shown.length === 0 && <Empty title="No client matches the filter" />}
      {shown.length > 0 && (
        <Table
          label="Clients"
          items={shown}
          columns={COLUMNS}
          keyOf={({ connection }) => connection}
        />
      )}
    </>
  );
}
