/**
 * A worker that is there to be killed: `bun sql-sink-process.ts CONFIG COUNT` writes records 0 to COUNT
 * from where the table's offsets are, says `wrote OFFSET` after each batch, and ends.
 */
import sqlSink from "../../connect/connectors/sql/sql-sink.ts";
import { sinkRecords, startSink } from "../../connect/testing/index.ts";

const BATCH = 50;
const [config = "", count = ""] = process.argv.slice(2);
const parsed = JSON.parse(config) as Record<string, string>;
const sink = await startSink(sqlSink, parsed, { connector: "killed" });
const [position] = await sink.assign([{ topic: "test", partition: 0 }]);
for (let first = Number(position?.offset ?? 0); first < Number(count); first += BATCH) {
  const ids = Array.from({ length: Math.min(BATCH, Number(count) - first) }, (_, n) => first + n);
  await sink.write(sinkRecords(ids.map((id) => ({ id })), { first }));
  console.log(`wrote ${first + BATCH}`);
}
await sink.stop();
