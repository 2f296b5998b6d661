/** A search through a topic: it runs in the broker, and says how far it is. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty, ProblemNote } from "../components/notes.tsx";
import { asProblem, type Problem } from "../data/api.ts";
import { count, plural } from "../data/format.ts";
import type { TopicView } from "../data/model.ts";
import type { RecordView } from "../data/records.ts";
import { readQuery, type Scope } from "../data/scope.ts";
import { type Progress, search } from "../data/search.ts";
import { RecordTable } from "./record-table.tsx";

const FOUND_MAX = 1000;
const SHOW_MS = 150;

interface State {
  readonly records: readonly RecordView[];
  readonly progress: Progress | null;
  readonly isRunning: boolean;
  /** Why it has ended: `limit` if there may be more. */
  readonly reason: string;
  readonly problem: Problem | null;
}

/** Searches from when it is first shown on. */
function useSearch(topic: string, scope: Scope) {
  const [state, setState] = useState<State>({
    records: [],
    progress: null,
    isRunning: true,
    reason: "",
    problem: null,
  });
  const abort = useRef(new AbortController());
  useEffect(() => {
    const { signal } = abort.current;
    const records: RecordView[] = [];
    let progress: Progress | null = null;
    let reason = "";
    const show = (isRunning: boolean, problem: Problem | null = null) =>
      setState({ records: [...records], progress, isRunning, reason, problem });
    const timer = setInterval(() => show(true), SHOW_MS);
    const run = async () => {
      try {
        const { from, partitions } = readQuery({ ...scope, start: startOf(scope) }, 0);
        const wanted = { from, partitions, limit: FOUND_MAX, [keyOf(scope)]: scope.filter };
        for await (const event of search(topic, wanted, signal)) {
          if (event.kind === "record") records.push(event.record);
          else if (event.kind === "progress") progress = event.progress;
          else reason = event.reason;
        }
        clearInterval(timer);
        show(false);
      } catch (error) {
        clearInterval(timer);
        show(false, signal.aborted ? null : asProblem(error));
      }
    };
    void run();
    return () => {
      clearInterval(timer);
      abort.current.abort();
    };
  }, []);
  return { ...state, stop: () => abort.current.abort() };
}

/** What is searched is the whole topic, unless a place to begin is given. */
function startOf({ start }: Scope): Scope["start"] {
  return start === "offset" || start === "time" ? start : "oldest";
}

function keyOf({ filterKind }: Scope): string {
  return filterKind === "text" ? "text" : "where";
}

function describe({ scanned, total, failed }: Progress): string {
  const errors = failed === 0 ? "" : `, the expression failed on ${count(failed)}`;
  return `, scanned ${count(scanned)} of ${count(total)}${errors}`;
}

export function SearchResults({ topic, scope, onOpen }: {
  topic: TopicView;
  scope: Scope;
  onOpen: (record: RecordView) => void;
}) {
  const { records, progress, isRunning, reason, problem, stop } = useSearch(topic.name, scope);
  const mark = scope.filterKind === "text" ? scope.filter : "";
  return (
    <>
      <div class="progress">
        {progress !== null && (
          <progress
            aria-label="How much is searched"
            max={Math.max(1, progress.total)}
            value={progress.scanned}
          />
        )}
        <span role="status">
          {isRunning ? "Searching: " : reason === "end" ? "Done: " : "Stopped: "}
          {plural(records.length, "record")} found{progress !== null && describe(progress)}
          {reason === "limit" && `. There may be more: it ends after ${count(FOUND_MAX)}`}
        </span>
        {isRunning && <button type="button" class="small" onClick={stop}>Stop</button>}
      </div>
      <ProblemNote problem={problem} />
      {!isRunning && problem === null && records.length === 0 && (
        <Empty title="Nothing is found">
          <p>
            Searched were keys, values and headers{" "}
            {startOf(scope) === "oldest" ? "of the whole topic." : "from that place on."}
          </p>
        </Empty>
      )}
      {records.length > 0 && <RecordTable records={records} mark={mark} onOpen={onOpen} />}
    </>
  );
}
