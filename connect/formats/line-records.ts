/** Lines of a stream as records: of standard input, of a command. */
import type { ReadInto } from "../../core/text/record-blocks.ts";
import type { ConfigOf, PartialSourceRecord, TaskContext } from "../index.ts";
import { streamSettings } from "./line-fields.ts";
import type { streamFields } from "./line-fields.ts";
import { LineParser, LineReader, lineSchema } from "./line-reader.ts";

/** Batches of records until the stream ends. Throws where a line is bad and that is to fail. */
export async function* lineRecords(
  read: ReadInto,
  topic: string,
  config: ConfigOf<typeof streamFields>,
  log: TaskContext<unknown>["log"],
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const settings = streamSettings(config);
  const valueSchema = lineSchema(settings);
  const reader = new LineReader(read, new LineParser(settings), 0, true);
  let number = 0;
  for (let lines = await reader.next(); lines !== null; lines = await reader.next()) {
    const batch: PartialSourceRecord[] = [];
    for (const { value, error } of lines) {
      number++;
      if (error === null) batch.push({ topic, value, valueSchema });
      else if (config["bad.rows"] === "skip") {
        log.warn("left out", { line: number, why: error.message });
      } else throw new Error(`line ${number} ${error.message} (bad.rows=skip leaves it out)`);
    }
    if (batch.length > 0) yield batch;
  }
}
