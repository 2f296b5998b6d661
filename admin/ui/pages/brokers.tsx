/** The brokers of the cluster, and the configs of each. */
import { Badge, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { Tabs } from "../components/tabs.tsx";
import { at, path } from "../data/api.ts";
import type { BrokerView, ClusterView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { href, useRoute } from "../router.ts";
import { ConfigList } from "./config-list.tsx";
import { LogDirs } from "./disks.tsx";

const EVERY_MS = 3000;
const linkOf = ({ nodeId }: BrokerView) => path(["brokers", nodeId]);

/** Configs that are set for all brokers at once have this in place of an id. */
const DEFAULT = "default";
const TABS = [["configs", "Configs"], ["disks", "Disks"]] as const;

function columnsOf({ controllerId, nodeId: self }: ClusterView): readonly Column<BrokerView>[] {
  return [
    {
      name: "Broker",
      show: (broker) => <a href={href(linkOf(broker))} tabIndex={-1}>{broker.nodeId}</a>,
      by: ({ nodeId }) => nodeId,
    },
    { name: "Address", show: ({ host, port }) => <span class="mono">{`${host}:${port}`}</span> },
    {
      name: "State",
      show: ({ fenced }) => (
        <Badge tone={fenced ? "bad" : "good"} text={fenced ? "fenced" : "alive"} />
      ),
    },
    {
      name: "Role",
      show: ({ nodeId }) =>
        [nodeId === controllerId && "controller", nodeId === self && "here"]
          .filter(Boolean).join(", "),
    },
    { name: "Rack", show: ({ rack }) => rack ?? "", isMinor: true },
  ];
}

export function BrokersPage() {
  const { data, problem, reload } = useResource(at("/v1/cluster"), EVERY_MS);
  return (
    <>
      <div class="row">
        <h1>Brokers</h1>
        <a class="button end" href={href(path(["brokers", DEFAULT]))}>Configs of all</a>
      </div>
      {data !== null && (
        <p class="crumbs">
          Cluster <span class="mono">{data.clusterId}</span>, kstream {data.version}
        </p>
      )}
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <Table
          label="Brokers"
          items={data.brokers}
          columns={columnsOf(data)}
          keyOf={({ nodeId }) => nodeId}
          linkOf={linkOf}
        />
      )}
    </>
  );
}

export function BrokerPage() {
  const { params } = useRoute();
  const id = params["broker"] ?? "";
  const tab = params["tab"] ?? "configs";
  return (
    <>
      <p class="crumbs">
        <a href={href("/brokers")}>Brokers</a>
      </p>
      <h1>{id === DEFAULT ? "Configs of all brokers" : `Broker ${id}`}</h1>
      {id !== DEFAULT && (
        <Tabs label="Parts of the broker" base={path(["brokers", id])} current={tab} tabs={TABS} />
      )}
      {tab === "configs" && (
        <ConfigList url={at("/v1/brokers/:broker/configs", { broker: id })} own="broker" />
      )}
      {tab === "disks" && <LogDirs broker={id} />}
    </>
  );
}
