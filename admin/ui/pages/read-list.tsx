/** Records from a place on; more of them as the end of the list comes near. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Command, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { asProblem, type Problem } from "../data/api.ts";
import { plural } from "../data/format.ts";
import type { TopicView } from "../data/model.ts";
import { browse, type RecordView } from "../data/records.ts";
import { readQuery, type Scope, startVector } from "../data/scope.ts";
import { RecordTable } from "./record-table.tsx";

const PAGE = 200;
/** How many are kept; the address tells how to go on from there. */
const RECORDS_MAX = 20_000;

interface Reading {
  readonly records: readonly RecordView[];
  /** Where to go on; null at the end. */
  readonly next: string | null;
  readonly problem: Problem | null;
  readonly isReading: boolean;
}

const NOTHING: Reading = { records: [], next: "", problem: null, isReading: true };

/** The newest of every partition are read as a whole, since the newest of all may be in any. */
function limitOf({ start }: Scope): number | undefined {
  return start === "newest" ? undefined : PAGE;
}

/** How many of the newest are read of each partition. */
function newestOf({ partitions }: TopicView): number {
  return Math.max(5, Math.ceil(PAGE / Math.max(1, partitions.length)));
}

/** Reads page after page. */
function useReading(topic: TopicView, scope: Scope) {
  const [reading, setReading] = useState<Reading>(NOTHING);
  const abort = useRef(new AbortController());
  const isUnderWay = useRef(false);
  const read = async (before: Reading) => {
    if (isUnderWay.current) return;
    isUnderWay.current = true;
    setReading({ ...before, isReading: true });
    const records = [...before.records];
    let next = before.next ?? "";
    let isEnd = true;
    let problem: Problem | null = null;
    const query = { ...readQuery(scope, newestOf(topic)), limit: limitOf(scope) };
    try {
      for await (
        const event of browse(topic.name, query, abort.current.signal, next || startVector(scope))
      ) {
        if (event.kind === "end") {
          isEnd = event.reason !== "limit";
          continue;
        }
        records.push(event.record);
        next = event.next;
      }
    } catch (error) {
      if (abort.current.signal.aborted) return;
      problem = asProblem(error);
    } finally {
      isUnderWay.current = false;
    }
    isEnd ||= records.length >= RECORDS_MAX || scope.start === "newest";
    const goesOn = problem !== null || !isEnd;
    setReading({ records, next: goesOn ? next : null, problem, isReading: false });
  };
  useEffect(() => {
    void read(NOTHING);
    return () => abort.current.abort();
  }, []);
  return {
    ...reading,
    more: () => {
      if (reading.next !== null && !reading.isReading && reading.problem === null) {
        void read(reading);
      }
    },
    retry: () => void read({ ...reading, problem: null }),
  };
}

export function ReadList({ topic, scope, onOpen }: {
  topic: TopicView;
  scope: Scope;
  onOpen: (record: RecordView) => void;
}) {
  const { records, next, problem, isReading, more, retry } = useReading(topic, scope);
  const shown = scope.start === "newest"
    ? records.toSorted((a, b) => b.timestamp - a.timestamp || b.offset - a.offset)
    : records;
  return (
    <>
      <p class="count" role="status">
        {isReading
          ? `Reading… ${plural(records.length, "record")}`
          : `${plural(records.length, "record")}${
            next === null || problem !== null ? "" : ", and more below"
          }`}
      </p>
      <ProblemNote problem={problem} onRetry={retry} />
      {isReading && records.length === 0 && <Loading />}
      {!isReading && records.length === 0 && problem === null && <NoRecords topic={topic} />}
      {shown.length > 0 && <RecordTable records={shown} onOpen={onOpen} onEnd={more} />}
    </>
  );
}

function NoRecords({ topic: { name, records } }: { topic: TopicView }) {
  if (records !== null && records > 0) {
    return <Empty title="There are no records there">Look from another place.</Empty>;
  }
  return (
    <Empty title="This topic has no records">
      <p>Send one:</p>
      <Command text={`echo hello | kstream produce ${name}`} />
    </Empty>
  );
}
