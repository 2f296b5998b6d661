/** A group: how far behind it is, who is in it, and how it is sent elsewhere. */
import { useState } from "preact/hooks";
import { Chart } from "../components/chart.tsx";
import { Dialog } from "../components/dialog.tsx";
import { TypedConfirmation } from "../components/form.tsx";
import { Command, Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path, send } from "../data/api.ts";
import { count, lagSpan } from "../data/format.ts";
import { useHistory } from "../data/history.ts";
import type { GroupMember, GroupPartition, GroupView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { href, navigate, useRoute } from "../router.ts";
import { SeekDialog } from "./group-seek.tsx";
import { GroupState } from "./groups.tsx";

const EVERY_MS = 1000;

export function GroupPage() {
  const { params } = useRoute();
  const id = params["group"] ?? "";
  const { data, problem, reload } = useResource(at("/v1/groups/:group", { group: id }), EVERY_MS);
  return (
    <>
      <p class="crumbs">
        <a href={href("/groups")}>Groups</a>
      </p>
      <div class="row">
        <h1>{id}</h1>
        {data !== null && <Actions group={data} onDone={reload} />}
      </div>
      {problem?.status === 404
        ? (
          <Empty title="There is no such group">
            <p>It is there as soon as somebody reads in its name:</p>
            <Command text={`kstream consume TOPIC --group ${id}`} />
          </Empty>
        )
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && <Details group={data} />}
    </>
  );
}

function Details({ group }: { group: GroupView }) {
  const { lag, members, partitions } = group;
  const history = useHistory(group, { lag });
  return (
    <>
      <dl class="figures">
        <Figure name="State" value={<GroupState state={group.state} />} />
        <Figure name="Kind" value={group.type} {...(group.protocol && { note: group.protocol })} />
        <Figure name="Lag" value={count(lag)} note="records" />
        <Figure name="Lag in time" value={lagSpan(group.lagSeconds)} />
        <Figure name="Members" value={count(members.length)} />
        <Figure name="Coordinator" value={`broker ${group.coordinator}`} />
      </dl>
      {history !== null && (
        <section class="panel">
          <h2>Lag</h2>
          <Chart
            label={`Lag: ${count(lag)} records`}
            times={history.times}
            lines={[{ name: "lag", colour: 1, values: history.values.lag }]}
            show={count}
            heightPx={120}
          />
        </section>
      )}
      <h2>Partitions</h2>
      {partitions.length === 0 ? <Empty title="The group has committed nothing yet" /> : (
        <Table
          label="Partitions"
          items={partitions}
          columns={PARTITION_COLUMNS}
          keyOf={({ topic, partition }) => `${topic}/${partition}`}
        />
      )}
      <h2>Members</h2>
      {members.length === 0 ? <Empty title="Nobody is in the group at the moment" /> : (
        <Table
          label="Members"
          items={members}
          columns={MEMBER_COLUMNS}
          keyOf={({ memberId }) => memberId}
        />
      )}
    </>
  );
}

const PARTITION_COLUMNS: readonly Column<GroupPartition>[] = [
  {
    name: "Topic",
    show: ({ topic }) => <a href={href(path(["topics", topic]))}>{topic}</a>,
    by: ({ topic }) => topic,
  },
  {
    name: "Partition",
    show: ({ partition }) => partition,
    by: ({ partition }) => partition,
    isNumber: true,
  },
  {
    name: "Committed",
    show: ({ offset }) => count(offset),
    isNumber: true,
    isMinor: true,
  },
  { name: "End", show: ({ endOffset }) => count(endOffset), isNumber: true, isMinor: true },
  { name: "Lag", show: ({ lag }) => count(lag), by: ({ lag }) => lag ?? -1, isNumber: true },
  {
    name: "In time",
    show: ({ lagSeconds }) => lagSpan(lagSeconds),
    by: ({ lagSeconds }) => lagSeconds ?? -1,
    isNumber: true,
  },
  {
    name: "Member",
    show: ({ memberId }) => memberId === null ? "" : <span class="mono">{memberId}</span>,
    isMinor: true,
  },
];

const MEMBER_COLUMNS: readonly Column<GroupMember>[] = [
  { name: "Client id", show: ({ clientId }) => clientId, by: ({ clientId }) => clientId },
  { name: "Host", show: ({ clientHost }) => clientHost.replace(/^\//, "") },
  {
    name: "Reads",
    show: ({ assignment }) =>
      assignment.map(({ topic, partitions }) => `${topic}: ${partitions.join(", ")}`).join("; "),
  },
  {
    name: "Member id",
    show: ({ memberId, groupInstanceId }) => <span class="mono">{groupInstanceId ?? memberId}
    </span>,
    isMinor: true,
  },
];

function Actions({ group, onDone }: { group: GroupView; onDone: () => void }) {
  const [action, setAction] = useState<"seek" | "delete" | null>(null);
  const close = () => setAction(null);
  const remove = async () => {
    await send("DELETE", at("/v1/groups/:group", { group: group.group }));
    navigate("/groups");
  };
  return (
    <div class="row end">
      <button type="button" onClick={() => setAction("seek")}>Seek…</button>
      <button type="button" class="danger" onClick={() => setAction("delete")}>Delete</button>
      {action === "seek" && (
        <SeekDialog
          group={group}
          onClose={close}
          onDone={() => {
            close();
            onDone();
          }}
        />
      )}
      {action === "delete" && (
        <Dialog title="Delete the group" onClose={close}>
          <TypedConfirmation name={group.group} action="Delete" onConfirm={remove}>
            <p>Its offsets are forgotten: who reads in its name begins anew.</p>
          </TypedConfirmation>
        </Dialog>
      )}
    </div>
  );
}
