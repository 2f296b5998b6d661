/** The records of a topic: read, searched, followed as they come, exported, sent. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { path } from "../data/api.ts";
import type { TopicView } from "../data/model.ts";
import type { RecordView } from "../data/records.ts";
import {
  readQuery,
  type Scope,
  scopeOf,
  setScope,
  STARTS,
  startVector,
  whereOf,
} from "../data/scope.ts";
import { useRoute } from "../router.ts";
import { LiveTail } from "./live-tail.tsx";
import { ProduceDialog } from "./produce.tsx";
import { ReadList } from "./read-list.tsx";
import { RecordDetail } from "./record-detail.tsx";
import { SearchResults } from "./search-results.tsx";

/** What is open over the list. */
type Open =
  | { readonly kind: "record"; readonly record: RecordView }
  | { readonly kind: "produce"; readonly like: RecordView | null };

export function Messages({ topic }: { topic: TopicView }) {
  const { query } = useRoute();
  const scope = scopeOf(query);
  const [open, setOpen] = useState<Open | null>(null);
  const [round, setRound] = useState(0);
  const show = (record: RecordView) => setOpen({ kind: "record", record });
  const key = `${JSON.stringify(scope)} ${round}`;
  return (
    <>
      <Toolbar
        topic={topic}
        scope={scope}
        onRead={(changed) => {
          setScope(changed);
          setRound((before) => before + 1);
        }}
        onProduce={() => setOpen({ kind: "produce", like: null })}
      />
      <View key={key} topic={topic} scope={scope} onOpen={show} />
      {open?.kind === "record" && (
        <RecordDetail
          record={open.record}
          onClose={() => setOpen(null)}
          onReproduce={() => setOpen({ kind: "produce", like: open.record })}
        />
      )}
      {open?.kind === "produce" && (
        <ProduceDialog
          topic={topic}
          like={open.like}
          onClose={() => setOpen(null)}
          onDone={() => setRound((before) => before + (scope.start === "live" ? 0 : 1))}
        />
      )}
    </>
  );
}

function View({ topic, scope, onOpen }: {
  topic: TopicView;
  scope: Scope;
  onOpen: (record: RecordView) => void;
}) {
  if (scope.start === "live") return <LiveTail topic={topic} scope={scope} onOpen={onOpen} />;
  if (scope.filter !== "") return <SearchResults topic={topic} scope={scope} onOpen={onOpen} />;
  return <ReadList topic={topic} scope={scope} onOpen={onOpen} />;
}

function Toolbar({ topic, scope, onRead, onProduce }: {
  topic: TopicView;
  scope: Scope;
  onRead: (scope: Scope) => void;
  onProduce: () => void;
}) {
  const [draft, setDraft] = useState(scope);
  const [isExporting, setExporting] = useState(false);
  const change = (part: Partial<Scope>) => setDraft({ ...draft, ...part });
  const changeAtOnce = (part: Partial<Scope>) => {
    change(part);
    onRead({ ...draft, ...part });
  };
  return (
    <form
      class="bar"
      onSubmit={(event) => {
        event.preventDefault();
        onRead(draft);
      }}
    >
      <StartFields draft={draft} change={change} changeAtOnce={changeAtOnce} />
      <label class="field">
        Partition
        <select
          value={draft.partition}
          onChange={(event) => changeAtOnce({ partition: event.currentTarget.value })}
        >
          <option value="">All</option>
          {topic.partitions.map(({ partition }) => (
            <option key={partition} value={String(partition)}>{partition}</option>
          ))}
        </select>
      </label>
      <FilterFields draft={draft} change={change} />
      <button type="submit" class="main">{draft.filter === "" ? "Read" : "Search"}</button>
      <button type="button" onClick={() => setExporting(true)}>Export</button>
      <button type="button" onClick={onProduce}>Produce</button>
      {isExporting && (
        <ExportDialog
          topic={topic}
          scope={draft}
          onClose={() => setExporting(false)}
        />
      )}
    </form>
  );
}

interface DraftProps {
  draft: Scope;
  change: (part: Partial<Scope>) => void;
  changeAtOnce: (part: Partial<Scope>) => void;
}

function StartFields({ draft, change, changeAtOnce }: DraftProps) {
  const choose = (id: string) => {
    const start = STARTS.find(([each]) => each === id)?.[0] ?? "newest";
    if (start === "offset" || start === "time") change({ start, at: "" });
    else changeAtOnce({ start, at: "" });
  };
  return (
    <>
      <label class="field">
        Show
        <select value={draft.start} onChange={(event) => choose(event.currentTarget.value)}>
          {STARTS.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </select>
      </label>
      {draft.start === "offset" && (
        <label class="field">
          Offset
          <input
            class="narrow"
            value={draft.at}
            inputMode="numeric"
            placeholder="0"
            onInput={(event) => change({ at: event.currentTarget.value.trim() })}
          />
        </label>
      )}
      {draft.start === "time" && (
        <label class="field">
          Time
          <input
            value={draft.at}
            placeholder="-1h, yesterday, 2026-01-31 10:00"
            onInput={(event) => change({ at: event.currentTarget.value })}
          />
        </label>
      )}
    </>
  );
}

function FilterFields({ draft, change }: Omit<DraftProps, "changeAtOnce">) {
  const isText = draft.filterKind === "text";
  return (
    <>
      <label class="field">
        Search
        <select
          value={draft.filterKind}
          onChange={(event) => {
            change({ filterKind: event.currentTarget.value === "where" ? "where" : "text" });
          }}
        >
          <option value="text">Text</option>
          <option value="where">Expression</option>
        </select>
      </label>
      <label class="field grow">
        {isText ? "In key, value and headers" : "True for the record"}
        <input
          type="search"
          data-filter
          class={isText ? "" : "mono"}
          value={draft.filter}
          placeholder={isText ? "" : 'v.total > 100 && h.trace === "x"'}
          onInput={(event) => change({ filter: event.currentTarget.value })}
        />
      </label>
    </>
  );
}

function ExportDialog({ topic, scope, onClose }: {
  topic: TopicView;
  scope: Scope;
  onClose: () => void;
}) {
  const ranged: Scope = scope.start === "live" ? { ...scope, start: "oldest" } : scope;
  const query = {
    ...readQuery(ranged, 1000),
    where: whereOf(scope),
    "on-error": "skip",
    "last-event-id": startVector(ranged),
  };
  const link = (format: string) =>
    path(["v1", "topics", topic.name, "records"], { ...query, format });
  const file = (extension: string) => `${topic.name}.${extension}`;
  return (
    <Dialog title="Export" onClose={onClose}>
      <p>
        All records from where the page begins up to the present end
        {scope.filter !== "" && " that the search finds"}, as they are read: any number of them.
      </p>
      <div class="row">
        <a class="button" download={file("ndjson")} href={link("")}>JSON, one per line</a>
        <a class="button" download={file("csv")} href={link("csv")}>CSV</a>
      </div>
      <p class="muted">
        The JSON is what <code>kstream produce -f json</code> takes back, byte for byte.
      </p>
    </Dialog>
  );
}
