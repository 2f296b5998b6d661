/** Sends a group to other offsets: what would change is shown first. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form } from "../components/form.tsx";
import { Empty } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, send } from "../data/api.ts";
import { count, plural } from "../data/format.ts";
import type { GroupView, SeekMove } from "../data/model.ts";

const COLUMNS: readonly Column<SeekMove>[] = [
  { name: "Topic", show: ({ topic }) => topic },
  { name: "Partition", show: ({ partition }) => partition, isNumber: true },
  { name: "Now", show: ({ currentOffset }) => count(currentOffset), isNumber: true },
  { name: "Then", show: ({ newOffset }) => count(newOffset), isNumber: true },
  {
    name: "By",
    show: ({ currentOffset, newOffset }) => {
      const by = newOffset - (currentOffset ?? newOffset);
      return currentOffset === null ? "" : by > 0 ? `+${count(by)}` : count(by);
    },
    isNumber: true,
  },
  { name: "Note", show: ({ note }) => note ?? "", isMinor: true },
];

export function SeekDialog({ group, onClose, onDone }: {
  group: GroupView;
  onClose: () => void;
  onDone: () => void;
}) {
  const [to, setTo] = useState("");
  const [topic, setTopic] = useState("");
  const [moves, setMoves] = useState<readonly SeekMove[] | null>(null);
  const topics = [...new Set(group.partitions.map((each) => each.topic))].sort();
  const seek = async (dryRun: boolean) => {
    const url = at("/v1/groups/:group/seek", { group: group.group }, {
      dryRun: dryRun || undefined,
    });
    const body = { to, ...(topic === "" ? {} : { topics: [topic] }) };
    const answer = await send("POST", url, body);
    if (dryRun) setMoves(answer.partitions);
    else onDone();
  };
  const change = (set: (text: string) => void) => (event: { currentTarget: { value: string } }) => {
    set(event.currentTarget.value);
    setMoves(null);
  };
  return (
    <Dialog title="Seek the group" onClose={onClose} isWide>
      <Form
        action={moves === null ? "Preview" : `Move ${plural(moves.length, "partition")}`}
        onSubmit={() => seek(moves === null)}
        isDisabled={to === "" || moves?.length === 0}
      >
        <Field name="To: start, end, an offset, -100, a time as -6h or 2026-01-31 12:00">
          <input required data-autofocus value={to} onInput={change(setTo)} placeholder="-1h" />
        </Field>
        <Field name="Topic">
          <select value={topic} onChange={change(setTopic)}>
            <option value="">All of the group</option>
            {topics.map((each) => <option key={each} value={each}>{each}</option>)}
          </select>
        </Field>
        {group.members.length > 0 && (
          <p class="notice">
            {plural(group.members.length, "member")}{" "}
            would commit over it: the group can move once they are stopped.
          </p>
        )}
        {moves?.length === 0 && <Empty title="Nothing would move" />}
        {moves !== null && moves.length > 0 && (
          <Table
            label="What would change"
            items={moves}
            columns={COLUMNS}
            keyOf={({ topic: name, partition }) => `${name}/${partition}`}
          />
        )}
      </Form>
    </Dialog>
  );
}
