/**
 * Records as they come, the latest first. It goes on behind the last one that it has when the
 * connection breaks, so nothing is lost; what leaves the view is counted and can be read again.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, Empty, ProblemNote } from "../components/notes.tsx";
import { asProblem, type Problem } from "../data/api.ts";
import { count, plural } from "../data/format.ts";
import type { TopicView } from "../data/model.ts";
import { browse, type RecordView, sizeOf } from "../data/records.ts";
import { readQuery, type Scope, setScope, whereOf } from "../data/scope.ts";
import { Tail } from "../data/tail.ts";
import { isFinal } from "../data/use-resource.ts";
import { RecordTable } from "./record-table.tsx";

const RECORDS_MAX = 2000;
const BYTES_MAX = 32 * 1024 * 1024;
const AGAIN_MS = 1000;
/** How often what has come is shown. */
const SHOW_MS = 200;

interface Shown {
  readonly records: readonly RecordView[];
  readonly total: number;
  readonly dropped: number;
  readonly firstDropped: string;
}

const NOTHING: Shown = { records: [], total: 0, dropped: 0, firstDropped: "" };

/** Resolves after `ms`, or when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/**
 * The end of the partitions that are followed, as the page has them: so also a connection that breaks
 * before anything has come goes on where it began.
 */
function endOf({ partitions }: TopicView, wanted: string): string {
  const followed = partitions.filter(({ partition }) => ["", String(partition)].includes(wanted));
  if (followed.some(({ endOffset }) => endOffset === null)) return "";
  return followed.map(({ partition, endOffset }) => `${partition}:${endOffset}`).join(",");
}

/** Follows the topic; while it is paused it shows nothing new, and takes no more than fits. */
function useTail(topic: TopicView, scope: Scope) {
  const [shown, setShown] = useState(NOTHING);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isPaused, setPaused] = useState(false);
  const paused = useRef(false);
  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const tail = new Tail(RECORDS_MAX, BYTES_MAX);
    let fresh: RecordView[] = [];
    let freshBytes = 0;
    let total = 0;
    const flush = () => {
      if (paused.current || fresh.length === 0) return;
      tail.add(fresh);
      fresh = [];
      freshBytes = 0;
      const { dropped, firstDropped } = tail;
      setShown({ records: tail.latestFirst(), total, dropped, firstDropped });
    };
    const timer = setInterval(flush, SHOW_MS);
    const query = {
      ...readQuery(scope, 0),
      follow: true,
      where: whereOf(scope),
      "on-error": "skip",
    };
    const follow = async () => {
      let next = endOf(topic, scope.partition);
      while (!signal.aborted) {
        try {
          for await (const event of browse(topic.name, query, signal, next)) {
            setProblem(null);
            if (event.kind !== "record") continue;
            next = event.next;
            total++;
            fresh.push(event.record);
            freshBytes += sizeOf(event.record);
            // What is not read stays at the server: reading goes on when there is room again.
            while (
              (fresh.length >= RECORDS_MAX || freshBytes >= BYTES_MAX) && !signal.aborted
            ) {
              await pause(SHOW_MS, signal);
              flush();
            }
          }
        } catch (error) {
          if (signal.aborted) return;
          const problem = asProblem(error);
          setProblem(problem);
          if (isFinal(problem)) return;
        }
        await pause(AGAIN_MS, signal);
      }
    };
    void follow();
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, []);
  const toggle = () => {
    paused.current = !paused.current;
    setPaused(paused.current);
  };
  return { ...shown, problem, isPaused, toggle };
}

export function LiveTail({ topic, scope, onOpen }: {
  topic: TopicView;
  scope: Scope;
  onOpen: (record: RecordView) => void;
}) {
  const { records, total, dropped, firstDropped, problem, isPaused, toggle } = useTail(
    topic,
    scope,
  );
  return (
    <>
      <div class="progress">
        {isPaused
          ? <Badge tone="warn" text="paused" />
          : <Badge tone={problem === null ? "good" : "bad"} text="live" />}
        <span role="status">{plural(total, "record")} since this page follows</span>
        {dropped > 0 && (
          <span>
            {count(dropped)} are out of view:{" "}
            <button
              type="button"
              class="small"
              onClick={() => setScope({ ...scope, start: "offset", at: firstDropped })}
            >
              Read them from {firstDropped}
            </button>
          </span>
        )}
        <button type="button" class="end" aria-pressed={isPaused} onClick={toggle}>
          {isPaused ? "Go on" : "Pause"}
        </button>
      </div>
      <ProblemNote problem={problem} />
      {records.length === 0 && (
        <Empty title="Nothing has come yet">
          Records appear here as they are written.
        </Empty>
      )}
      {records.length > 0 && <RecordTable records={records} onOpen={onOpen} />}
    </>
  );
}
