/** A list of records. */
import { type Column, Table } from "../components/table.tsx";
import { idOf, type Payload, preview, type RecordView } from "../data/records.ts";
import { time } from "../data/format.ts";

/** A payload in a cell; `mark` is what was searched for. */
function Cell({ payload, mark }: { payload: Payload; mark: string }) {
  if (payload === null) return <span class="null">null</span>;
  const text = preview(payload);
  if (text === "") return <span class="null">empty</span>;
  const at = mark === "" ? -1 : text.indexOf(mark);
  if (at < 0) return <span class="mono">{text}</span>;
  const from = Math.max(0, at - 40);
  return (
    <span class="mono">
      {from > 0 && "…"}
      {text.slice(from, at)}
      <mark>{mark}</mark>
      {text.slice(at + mark.length)}
    </span>
  );
}

function columnsOf(mark: string): readonly Column<RecordView>[] {
  return [
    {
      name: "Time",
      show: ({ timestamp }) => <span class="mono">{time(timestamp)}</span>,
      isMinor: true,
    },
    { name: "Partition", show: ({ partition }) => partition, isNumber: true, isMinor: true },
    { name: "Offset", show: ({ offset }) => offset, isNumber: true },
    { name: "Key", show: ({ key }) => <Cell payload={key} mark={mark} /> },
    { name: "Value", show: ({ value }) => <Cell payload={value} mark={mark} /> },
    {
      name: "Headers",
      show: ({ headers }) => headers.length === 0 ? "" : headers.length,
      isNumber: true,
      isMinor: true,
    },
  ];
}

export function RecordTable({ records, mark = "", onOpen, onEnd }: {
  records: readonly RecordView[];
  mark?: string;
  onOpen: (record: RecordView) => void;
  onEnd?: () => void;
}) {
  return (
    <Table
      label="Records"
      items={records}
      columns={columnsOf(mark)}
      keyOf={idOf}
      onOpen={onOpen}
      {...(onEnd === undefined ? {} : { onEnd })}
    />
  );
}
