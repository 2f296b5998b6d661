/** A quota that is set, new or anew. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form, Select } from "../components/form.tsx";
import { at, send } from "../data/api.ts";

/** What a quota can be for, in the order in which it is said. */
export const ENTITY_PARTS = [
  { type: "user", words: "user" },
  { type: "client-id", words: "client id" },
  { type: "ip", words: "address" },
] as const;

/** Kafka's quotas by their names in configs. */
export const QUOTAS: Readonly<Record<string, { readonly name: string; readonly unit: string }>> = {
  producer_byte_rate: { name: "Produce", unit: "bytes a second" },
  consumer_byte_rate: { name: "Fetch", unit: "bytes a second" },
  request_percentage: { name: "Requests", unit: "percent of a processor" },
  controller_mutation_rate: { name: "Topics and partitions", unit: "made or deleted a second" },
  connection_creation_rate: { name: "New connections", unit: "a second" },
};

const OF_CLIENTS = [
  "producer_byte_rate",
  "consumer_byte_rate",
  "request_percentage",
  "controller_mutation_rate",
] as const;
const OF_ADDRESSES = ["connection_creation_rate"] as const;

const KINDS = [
  ["user", "A user"],
  ["client-id", "A client id"],
  ["both", "A client id of a user"],
  ["ip", "An address"],
] as const;
type Kind = typeof KINDS[number][0];

export function AddQuota({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [kind, setKind] = useState<Kind>("user");
  const [names, setNames] = useState<Readonly<Record<string, string>>>({});
  const [key, setKey] = useState<string>(OF_CLIENTS[0]);
  const [value, setValue] = useState("");
  const keys: readonly string[] = kind === "ip" ? OF_ADDRESSES : OF_CLIENTS;
  const chosen = keys.includes(key) ? key : keys[0] ?? "";
  const parts = ENTITY_PARTS.filter(({ type }) => kind === "both" ? type !== "ip" : type === kind);
  const set = async () => {
    // An empty name is the default: all that have none of their own.
    const entity = Object.fromEntries(parts.map(({ type }) => [type, names[type] || null]));
    await send("PATCH", at("/v1/quotas"), { entity, quotas: { [chosen]: Number(value) } });
    onDone();
  };
  return (
    <Dialog title="Set a quota" onClose={onClose}>
      <Form action="Set" onSubmit={set}>
        <Select name="For" value={kind} options={KINDS} onChange={setKind} />
        {parts.map(({ type, words }) => (
          <Field key={type} name={`Name of the ${words}; empty: all without one of their own`}>
            <input
              value={names[type] ?? ""}
              onInput={(event) =>
                setNames({ ...names, [type]: event.currentTarget.value })}
            />
          </Field>
        ))}
        <Select
          name="What"
          value={chosen}
          options={keys.map((each) => [each, QUOTAS[each]?.name ?? each] as const)}
          onChange={setKey}
        />
        <Field name={`How much: ${QUOTAS[chosen]?.unit ?? ""}`}>
          <input
            required
            type="number"
            min="0"
            step="any"
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </Field>
      </Form>
    </Dialog>
  );
}
