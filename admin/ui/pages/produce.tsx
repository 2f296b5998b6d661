/** Sends a record; of one that is there already, all is filled in. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form } from "../components/form.tsx";
import { parseJson, path, request } from "../data/api.ts";
import type { TopicView } from "../data/model.ts";
import type { Payload, RecordView } from "../data/records.ts";

/** A payload as it is edited: text, Base64 for what is none, or null. */
interface Draft {
  readonly kind: "text" | "base64" | "null";
  readonly text: string;
}

function draftOf(payload: Payload, fallback: Draft["kind"]): Draft {
  if (payload === null) return { kind: fallback, text: "" };
  return typeof payload === "string"
    ? { kind: "text", text: payload }
    : { kind: "base64", text: payload.base64 };
}

function payloadOf({ kind, text }: Draft): Payload {
  return kind === "null" ? null : kind === "text" ? text : { base64: text };
}

interface HeaderDraft {
  readonly id: number;
  readonly name: string;
  readonly value: Draft;
}

export function ProduceDialog({ topic, like, onClose, onDone }: {
  topic: TopicView;
  like: RecordView | null;
  onClose: () => void;
  onDone: () => void;
}) {
  const [key, setKey] = useState(draftOf(like?.key ?? null, "null"));
  const isTombstone = like !== null && like.value === null;
  const [value, setValue] = useState(draftOf(like?.value ?? null, isTombstone ? "null" : "text"));
  const [partition, setPartition] = useState("");
  const [headers, setHeaders] = useState<readonly HeaderDraft[]>(
    like?.headers.map(([name, each], id) => ({ id, name, value: draftOf(each, "null") })) ?? [],
  );
  const [sent, setSent] = useState<string | null>(null);
  const produce = async () => {
    setSent(null);
    const record = {
      key: payloadOf(key),
      value: payloadOf(value),
      headers: headers.map((each) => [each.name, payloadOf(each.value)]),
      ...(partition === "" ? {} : { partition: Number(partition) }),
    };
    const response = await request(path(["v1", "topics", topic.name, "records"]), {
      method: "POST",
      headers: { "content-type": "application/x-ndjson", "x-kstream-request": "1" },
      body: JSON.stringify(record) + "\n",
    });
    setSent(placeOf(await response.text()));
    onDone();
  };
  return (
    <Dialog
      title={like === null ? "Produce a record" : "Produce it again"}
      onClose={onClose}
      isWide
    >
      <Form action="Produce" onSubmit={produce}>
        <PayloadField name="Key" draft={key} onChange={setKey} rows={1} />
        <PayloadField name="Value" draft={value} onChange={setValue} rows={8} />
        <HeaderFields headers={headers} onChange={setHeaders} />
        <Field name="Partition">
          <select value={partition} onChange={(event) => setPartition(event.currentTarget.value)}>
            <option value="">By the key</option>
            {topic.partitions.map((each) => (
              <option key={each.partition} value={String(each.partition)}>{each.partition}</option>
            ))}
          </select>
        </Field>
        {sent !== null && <p class="done" role="status">{sent}</p>}
      </Form>
    </Dialog>
  );
}

/** What the answer says of where it went, in words. */
function placeOf(text: string): string {
  const answer = parseJson(text);
  const all = typeof answer === "object" && answer !== null && "partitions" in answer
    ? answer.partitions
    : null;
  const first: unknown = Array.isArray(all) ? all[0] : null;
  if (typeof first !== "object" || first === null) return "It is acknowledged.";
  const partition = "partition" in first ? String(first.partition) : "?";
  const offset = "firstOffset" in first ? String(first.firstOffset) : "?";
  return `It is at offset ${offset} of partition ${partition}.`;
}

function PayloadField({ name, draft, onChange, rows }: {
  name: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
  rows: number;
}) {
  return (
    <div class="payload-field">
      <Field name={name}>
        <textarea
          rows={rows}
          value={draft.text}
          disabled={draft.kind === "null"}
          onInput={(event) => onChange({ ...draft, text: event.currentTarget.value })}
        />
      </Field>
      <KindSelect name={name} draft={draft} onChange={onChange} />
    </div>
  );
}

function KindSelect({ name, draft, onChange }: {
  name: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
}) {
  const choose = (kind: string) =>
    onChange({ ...draft, kind: kind === "text" || kind === "base64" ? kind : "null" });
  return (
    <select
      aria-label={`What ${name.toLowerCase()} is`}
      value={draft.kind}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      <option value="text">text</option>
      <option value="base64">Base64</option>
      <option value="null">null</option>
    </select>
  );
}

function HeaderFields({ headers, onChange }: {
  headers: readonly HeaderDraft[];
  onChange: (headers: readonly HeaderDraft[]) => void;
}) {
  const set = (id: number, part: Partial<HeaderDraft>) =>
    onChange(headers.map((each) => each.id === id ? { ...each, ...part } : each));
  const add = () => {
    const id = 1 + Math.max(-1, ...headers.map((each) => each.id));
    onChange([...headers, { id, name: "", value: { kind: "text", text: "" } }]);
  };
  return (
    <fieldset>
      <legend>Headers</legend>
      {headers.map(({ id, name, value }) => (
        <div class="row" key={id}>
          <input
            aria-label="Name of the header"
            value={name}
            onInput={(event) => set(id, { name: event.currentTarget.value })}
          />
          <input
            class="grow"
            aria-label={`Value of the header ${name}`}
            value={value.text}
            disabled={value.kind === "null"}
            onInput={(event) => set(id, { value: { ...value, text: event.currentTarget.value } })}
          />
          <KindSelect
            name={`the header ${name}`}
            draft={value}
            onChange={(changed) => set(id, { value: changed })}
          />
          <button
            type="button"
            class="quiet"
            aria-label={`Remove the header ${name}`}
            onClick={() => onChange(headers.filter((each) => each.id !== id))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" class="small" onClick={add}>Add a header</button>
    </fieldset>
  );
}
