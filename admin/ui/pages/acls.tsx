/** All ACLs: found by any part of them, added and deleted. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { FilterBar } from "../components/filter.tsx";
import { Form } from "../components/form.tsx";
import { Badge, Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, send } from "../data/api.ts";
import { count } from "../data/format.ts";
import type { AclView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { useQueryState } from "../router.ts";
import { AddAcl } from "./acl-add.tsx";

/** What an ACL is about, in words: `topics that begin with shop.`. */
export function resourceWords({ resourceType, resourceName, patternType }: AclView): string {
  const type = resourceType.toLowerCase().replaceAll("_", " ");
  if (resourceType === "CLUSTER") return "the cluster";
  if (patternType === "PREFIXED") return `${type}s that begin with ${resourceName}`;
  return resourceName === "*" ? `all ${type}s` : `${type} ${resourceName}`;
}

export function permissionBadge({ permission }: AclView) {
  return permission === "ALLOW"
    ? <Badge tone="good" text="may" />
    : <Badge tone="bad" text="may not" />;
}

const keyOf = (acl: AclView) => JSON.stringify(acl);

function columnsOf(onDelete: (acl: AclView) => void): readonly Column<AclView>[] {
  return [
    { name: "Who", show: ({ principal }) => principal, by: ({ principal }) => principal },
    {
      name: "Rule",
      show: (acl) => (
        <>
          {permissionBadge(acl)} <span class="mono">{acl.operation}</span>
        </>
      ),
      by: ({ permission, operation }) => `${permission} ${operation}`,
    },
    { name: "On", show: resourceWords, by: resourceWords },
    {
      name: "From host",
      show: ({ host }) => host === "*" ? <span class="muted">any</span> : host,
      by: ({ host }) => host,
      isMinor: true,
    },
    {
      name: "Action",
      show: (acl) => (
        <button type="button" class="small danger" onClick={() => onDelete(acl)}>Delete…</button>
      ),
      isMinor: true,
    },
  ];
}

function hasText(acl: AclView, text: string): boolean {
  return [...Object.values(acl), resourceWords(acl)]
    .some((each) => each.toLowerCase().includes(text.toLowerCase()));
}

export function AclsTab() {
  const [filter, setFilter] = useQueryState("filter");
  const [gone, setGone] = useState<AclView | null>(null);
  const [isAdding, setAdding] = useState(false);
  const { data, problem, reload } = useResource(at("/v1/acls"));
  const all = data?.acls ?? [];
  const shown = all.filter((acl) => filter === "" || hasText(acl, filter));
  const done = () => {
    setGone(null);
    setAdding(false);
    reload();
  };
  return (
    <>
      <FilterBar
        label="Filter ACLs"
        placeholder="User, operation, resource or host"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : `${count(shown.length)} of ${count(all.length)}`}
      >
        <button type="button" class="main" onClick={() => setAdding(true)}>Add ACL</button>
      </FilterBar>
      {problem?.error === "SECURITY_DISABLED"
        ? <AclsOff />
        : <ProblemNote problem={problem} onRetry={reload} />}
      {data === null && problem === null && <Loading />}
      {data !== null && all.length === 0 && <NoAcls />}
      {all.length > 0 && shown.length === 0 && <Empty title="No ACL matches the filter" />}
      {shown.length > 0 && (
        <Table
          label="ACLs"
          items={shown}
          columns={columnsOf(setGone)}
          keyOf={keyOf}
          onOpen={setGone}
        />
      )}
      {isAdding && <AddAcl onClose={() => setAdding(false)} onDone={done} />}
      {gone !== null && <DeleteAcl acl={gone} onClose={() => setGone(null)} onDone={done} />}
    </>
  );
}

function AclsOff() {
  return (
    <Empty title="ACLs are off: everybody may do everything">
      <p>The configs authorizer.class.name and super.users of the brokers turn them on:</p>
      <Command
        text={"kstream serve --set super.users=User:admin --set " +
          "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"}
      />
    </Empty>
  );
}

function NoAcls() {
  return (
    <Empty title="There are no ACLs">
      <p>With the authorizer on, only super users may do anything then. An example:</p>
      <Command text="kstream acl add --allow User:alice -o read --topic orders" />
    </Empty>
  );
}

function DeleteAcl({ acl, onClose, onDone }: {
  acl: AclView;
  onClose: () => void;
  onDone: () => void;
}) {
  const remove = async () => {
    await send("DELETE", at("/v1/acls", { ...acl }));
    onDone();
  };
  return (
    <Dialog title="ACL" onClose={onClose}>
      <Form action="Delete" isDanger onSubmit={remove}>
        <p>
          <strong>{acl.principal}</strong> {permissionBadge(acl)}{" "}
          <span class="mono">{acl.operation}</span> on {resourceWords(acl)}
          {acl.host !== "*" && ` from ${acl.host}`}.
        </p>
        <p class="muted">
          {acl.permission === "ALLOW"
            ? "Whoever needs it is refused from their next request on."
            : "What another ACL allows is possible from then on."}
        </p>
      </Form>
    </Dialog>
  );
}
