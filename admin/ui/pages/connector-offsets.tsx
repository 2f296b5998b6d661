/** Where a connector has come to; of a stopped one it can be set, what would change is shown first. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form, TypedConfirmation } from "../components/form.tsx";
import { Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { parseJson, Problem } from "../data/api.ts";
import {
  askConnect,
  connectAt,
  type ConnectorOffset,
  type ConnectorStatus,
  useConnect,
} from "../data/connect.ts";
import { plural } from "../data/format.ts";

const EVERY_MS = 5000;
const text = (value: unknown) => <span class="mono">{JSON.stringify(value)}</span>;
const keyOf = ({ partition }: { partition: object }) =>
  JSON.stringify(Object.entries(partition).sort(([a], [b]) => a < b ? -1 : 1));

const COLUMNS: readonly Column<ConnectorOffset>[] = [
  { name: "Of", show: ({ partition }) => text(partition) },
  { name: "Come to", show: ({ offset }) => text(offset) },
];

interface Offsets {
  readonly offsets: readonly ConnectorOffset[];
}

export function ConnectorOffsets({ status, mayChange }: {
  status: ConnectorStatus;
  mayChange: boolean;
}) {
  const { name } = status;
  const url = connectAt(["connectors", name, "offsets"]);
  const { data, problem, reload } = useConnect<Offsets>(url, EVERY_MS);
  const [asked, setAsked] = useState<"set" | "reset" | null>(null);
  const isStopped = status.connector.state === "STOPPED";
  const done = () => {
    setAsked(null);
    reload();
  };
  const close = () => setAsked(null);
  const all = data?.offsets ?? [];
  return (
    <>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && all.length === 0 && <Empty title="Nothing is stored yet" />}
      {all.length > 0 && <Table label="Offsets" items={all} columns={COLUMNS} keyOf={keyOf} />}
      {mayChange && data !== null && (
        <div class="bar">
          <button type="button" disabled={!isStopped} onClick={() => setAsked("set")}>Set…</button>
          <button
            type="button"
            class="danger"
            disabled={!isStopped || all.length === 0}
            onClick={() => setAsked("reset")}
          >
            Reset…
          </button>
          {!isStopped && <span class="count">Offsets can be set once it is stopped.</span>}
        </div>
      )}
      {asked === "set" && <SetOffsets name={name} before={all} onClose={close} onDone={done} />}
      {asked === "reset" && (
        <Dialog title="Reset the offsets" onClose={close}>
          <TypedConfirmation
            name={name}
            action="Reset"
            onConfirm={async () => {
              await askConnect("DELETE", connectAt(["connectors", name, "offsets"]));
              done();
            }}
          >
            <p>
              {plural(all.length, "offset")}{" "}
              are forgotten: it begins anew, and what it has moved before comes again.
            </p>
          </TypedConfirmation>
        </Dialog>
      )}
    </>
  );
}

interface Move {
  readonly partition: ConnectorOffset["partition"];
  readonly before: ConnectorOffset["offset"];
  readonly after: ConnectorOffset["offset"];
}

const MOVES: readonly Column<Move>[] = [
  { name: "Of", show: ({ partition }) => text(partition) },
  { name: "Now", show: ({ before }) => before === null ? "nothing" : text(before) },
  { name: "Then", show: ({ after }) => after === null ? "forgotten" : text(after) },
];

function SetOffsets({ name, before, onClose, onDone }: {
  name: string;
  before: readonly ConnectorOffset[];
  onClose: () => void;
  onDone: () => void;
}) {
  const [json, setJson] = useState(JSON.stringify(before, null, 2));
  const [moves, setMoves] = useState<readonly Move[] | null>(null);
  const set = async () => {
    const wanted = parseOffsets(json);
    if (moves === null) return setMoves(movesOf(before, wanted));
    const offsets = moves.map(({ partition, after }) => ({ partition, offset: after }));
    await askConnect("PATCH", connectAt(["connectors", name, "offsets"]), { offsets });
    onDone();
  };
  return (
    <Dialog title="Set the offsets" onClose={onClose} isWide>
      <Form
        action={moves === null ? "Preview" : `Set ${plural(moves.length, "offset")}`}
        onSubmit={set}
        isDisabled={moves?.length === 0}
      >
        <Field name="Offsets as JSON; null forgets one, those left out stay">
          <textarea
            rows={12}
            spellcheck={false}
            value={json}
            onInput={(event) => {
              setJson(event.currentTarget.value);
              setMoves(null);
            }}
          />
        </Field>
        {moves?.length === 0 && <Empty title="Nothing would change" />}
        {moves !== null && moves.length > 0 && (
          <Table label="What would change" items={moves} columns={MOVES} keyOf={keyOf} />
        )}
      </Form>
    </Dialog>
  );
}

/** What differs. */
export function movesOf(
  before: readonly ConnectorOffset[],
  wanted: readonly ConnectorOffset[],
): Move[] {
  const now = new Map(before.map((each) => [keyOf(each), each.offset]));
  return wanted.flatMap((each) => {
    const known = now.get(keyOf(each)) ?? null;
    const isSame = JSON.stringify(known) === JSON.stringify(each.offset);
    return isSame ? [] : [{ partition: each.partition, before: known, after: each.offset }];
  });
}

function parseOffsets(json: string): ConnectorOffset[] {
  const parsed = parseJson(json);
  const isList = Array.isArray(parsed) &&
    parsed.every((each: unknown) => isObject(each) && isObject(each["partition"]));
  if (isList) return parsed as ConnectorOffset[];
  const what = 'a list of {"partition": {…}, "offset": {…}}';
  throw new Problem(400, "This is none", `offsets are ${what}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
