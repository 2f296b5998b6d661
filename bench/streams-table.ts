/** The section of `docs/benchmarks.md` about streams: `bun bench/streams-table.ts bench/results/FILE.json`. */
import { readFileSync } from "node:fs";
import { markdownTable, spreadText } from "./markdown.ts";
import type { StreamsRow } from "./streams.ts";

const STREAMS_CASES: Readonly<Record<string, string>> = {
  map: "`filter` and `mapValues`",
  count: "`count` by key",
  window: "`count` by key and minute",
  join: "stream with table",
};

/** Empty: nothing was measured. */
export function streamsSection(rows: readonly StreamsRow[] | undefined): string {
  if (rows === undefined || rows.length === 0) return "";
  const head = ["application", "guarantee", "records/s", "CPU", "first output", "memory"];
  const ratioRows = rows.map(({ case: name, guarantee, over, pairs }) => [
    ...[
      STREAMS_CASES[name] ?? name,
      guarantee === "exactly_once_v2" ? "exactly once" : "at least once",
    ],
    ...[over.kPerSecond, over.cpuMicros, over.firstOutputMs, over.peakMb].map((each) =>
      pairs === 1 ? each.median.toFixed(2) : spreadText(each)
    ),
  ]);
  const both = ({ ours, java }: StreamsRow, key: keyof StreamsRow["ours"], digits = 0) =>
    `${ours[key].median.toFixed(digits)}, ${java[key].median.toFixed(digits)}`;
  const figureRows = rows.map((row, index) => [
    ...ratioRows[index]!.slice(0, 2),
    ...[both(row, "kPerSecond"), both(row, "cpuMicros", 1)],
    ...[both(row, "firstOutputMs"), both(row, "peakMb")],
  ]);
  const [{ records, pairs }] = rows as [StreamsRow];
  return `
## Streams

\`kstream stream run\` beside Kafka Streams 4.3.1, in turn on the same broker (ours), one member of
one thread each, ${records / 1e6} million records of 100 B with keys of a million, in one partition;
stores on disk, empty at the beginning; commits every 100 ms with exactly-once, each second without.
The virtual machine has G1 and a heap of 1 GB at the most. Ours over Java's, ${pairs} pair${
    pairs === 1 ? "" : "s"
  }:

${markdownTable(head, ratioRows)}

Ours and Java's: thousands of records a second from the first commit on, microseconds of CPU per
record (start included), ms from exec to the first output, MB at the peak:

${markdownTable(head, figureRows)}
`;
}

if (import.meta.main) {
  // What `bench/streams.ts` has written.
  const file = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as { streams?: StreamsRow[] };
  console.log(streamsSection(file.streams));
}
