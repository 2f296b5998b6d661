/** How the cluster is: what flows, who is there, what is wrong. */
import type { ConnectedClient } from "../../../broker/connected-clients.ts";
import { Chart } from "../components/chart.tsx";
import { Command, Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { byteRate, count, rate } from "../data/format.ts";
import { useHistory } from "../data/history.ts";
import { useResource } from "../data/use-resource.ts";
import { href } from "../router.ts";

function sum(clients: readonly ConnectedClient[], of: (client: ConnectedClient) => number): number {
  return clients.reduce((total, client) => total + of(client), 0);
}

export function OverviewPage() {
  const { data, problem, reload } = useResource<{ clients: ConnectedClient[] }>(
    "/v1/clients",
    1000,
  );
  const ready = useResource<{ clusterId: string; nodeId: number }>("/ready", 5000);
  const rates = data === null ? null : {
    in: sum(data.clients, (client) => client.rates.bytesIn),
    out: sum(data.clients, (client) => client.rates.bytesOut),
    requests: sum(data.clients, (client) => client.rates.requests),
  };
  const history = useHistory(data, rates);
  return (
    <>
      <h1>Overview</h1>
      <p class="crumbs mono">{ready.data?.clusterId ?? ""}</p>
      <ProblemNote problem={ready.problem ?? problem} onRetry={reload} />
      {rates === null && problem === null && <Loading />}
      {rates !== null && (
        <dl class="figures">
          <Figure name="Coming in" value={byteRate(rates.in)} />
          <Figure name="Going out" value={byteRate(rates.out)} />
          <Figure name="Requests" value={rate(rates.requests)} />
          <Figure
            name="Clients"
            value={<a href={href("/clients")}>{count(data?.clients.length)}</a>}
          />
        </dl>
      )}
      {history !== null && rates !== null && (
        <section class="panel">
          <h2>Throughput</h2>
          <Chart
            label={`Throughput of clients: ${byteRate(rates.in)} in, ${byteRate(rates.out)} out`}
            times={history.times}
            lines={[
              { name: "in", colour: 1, values: history.values.in },
              { name: "out", colour: 2, values: history.values.out },
            ]}
            show={byteRate}
          />
          <div class="legend">
            <span>
              <span class="swatch swatch-1" />in
            </span>
            <span>
              <span class="swatch swatch-2" />out
            </span>
          </div>
        </section>
      )}
      {data !== null && data.clients.length === 0 && (
        <Empty title="Nobody is connected">
          <p>Send something:</p>
          <Command text="echo hello | kstream produce greetings" />
        </Empty>
      )}
    </>
  );
}
