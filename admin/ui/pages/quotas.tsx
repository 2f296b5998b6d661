/** How much users, clients and addresses may take: listed, set and removed. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { FilterBar } from "../components/filter.tsx";
import { Field, Form } from "../components/form.tsx";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, send } from "../data/api.ts";
import { byteRate, count } from "../data/format.ts";
import type { QuotaView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { useQueryState } from "../router.ts";
import { AddQuota, ENTITY_PARTS, QUOTAS } from "./quota-add.tsx";

/** One quota of one entity. */
interface Quota {
  readonly entity: QuotaView["entity"];
  readonly key: string;
  readonly value: number;
}

/** Whom it is for: `user alice, client id app`. */
function entityWords(entity: QuotaView["entity"]): string {
  return ENTITY_PARTS
    .filter(({ type }) => type in entity)
    .map(({ type, words }) => {
      const name = entity[type] ?? null;
      return name === null ? `any other ${words}` : `${words} ${name}`;
    })
    .join(", ");
}

function valueWords({ key, value }: Pick<Quota, "key" | "value">): string {
  if (key.endsWith("_byte_rate")) return byteRate(value);
  if (key === "request_percentage") return `${value} %`;
  return `${count(value)}/s`;
}

function columnsOf(onRemove: (quota: Quota) => void): readonly Column<Quota>[] {
  return [
    {
      name: "For",
      show: ({ entity }) => entityWords(entity),
      by: ({ entity }) => entityWords(entity),
    },
    { name: "Quota", show: ({ key }) => QUOTAS[key]?.name ?? key, by: ({ key }) => key },
    { name: "Value", show: valueWords, by: ({ value }) => value, isNumber: true },
    {
      name: "Config",
      show: ({ key, value }) => <span class="mono">{key}={value}</span>,
      isMinor: true,
    },
    {
      name: "Action",
      show: (quota) => (
        <button type="button" class="small danger" onClick={() => onRemove(quota)}>Remove…</button>
      ),
      isMinor: true,
    },
  ];
}

export function QuotasTab() {
  const [filter, setFilter] = useQueryState("filter");
  const [isAdding, setAdding] = useState(false);
  const [gone, setGone] = useState<Quota | null>(null);
  const { data, problem, reload } = useResource(at("/v1/quotas"));
  const all = (data?.quotas ?? []).flatMap(({ entity, quotas }) =>
    Object.entries(quotas).map(([key, value]) => ({ entity, key, value }))
  );
  const shown = all.filter(({ entity, key }) =>
    `${entityWords(entity)} ${key}`.toLowerCase().includes(filter.toLowerCase())
  );
  const done = () => {
    setGone(null);
    setAdding(false);
    reload();
  };
  return (
    <>
      <FilterBar
        label="Filter quotas"
        placeholder="User, client id, address or quota"
        value={filter}
        onChange={setFilter}
        count={data === null ? "" : `${count(shown.length)} of ${count(all.length)}`}
      >
        <button type="button" class="main" onClick={() => setAdding(true)}>Set quota</button>
      </FilterBar>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && all.length === 0 && <NoQuotas />}
      {all.length > 0 && shown.length === 0 && <Empty title="No quota matches the filter" />}
      {shown.length > 0 && (
        <Table
          label="Quotas"
          items={shown}
          columns={columnsOf(setGone)}
          keyOf={({ entity, key }) => JSON.stringify([entity, key])}
          onOpen={setGone}
        />
      )}
      {isAdding && <AddQuota onClose={() => setAdding(false)} onDone={done} />}
      {gone !== null && <RemoveQuota quota={gone} onClose={() => setGone(null)} onDone={done} />}
    </>
  );
}

function NoQuotas() {
  return (
    <Empty title="There are no quotas">
      <p>Everybody may take as much as the brokers give. To bound what a user writes:</p>
      <Command text="kstream quota set --user alice producer_byte_rate=1048576" />
    </Empty>
  );
}

function RemoveQuota({ quota, onClose, onDone }: {
  quota: Quota;
  onClose: () => void;
  onDone: () => void;
}) {
  const { entity, key } = quota;
  const remove = async () => {
    await send("PATCH", at("/v1/quotas"), { entity, quotas: { [key]: null } });
    onDone();
  };
  return (
    <Dialog title="Quota" onClose={onClose}>
      <Form action="Remove" isDanger onSubmit={remove}>
        <Field name="Quota">
          <output class="mono">{key}={quota.value}</output>
        </Field>
        <p>It holds for {entityWords(entity)}. What is more general holds from then on.</p>
      </Form>
    </Dialog>
  );
}
