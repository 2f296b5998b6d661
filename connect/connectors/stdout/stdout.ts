/** Lines on standard output. */
import { write as writeCallback } from "node:fs";
import { promisify } from "node:util";
import { JsonLinesWriter, rowOf, TextLinesWriter } from "../../formats/index.ts";
import { choice, defineSink } from "../../index.ts";

const write = promisify(writeCallback);
const STDOUT = 1;
const FULL_PAUSE_MS = 10;

export default defineSink({
  name: "stdout",
  version: "1.0.0",
  doc:
    "Writes records to the standard output of the worker, a line each: for `kstream connect run` in " +
    "a pipe, and for a look at what a sink would get.",
  example: {
    topics: "orders",
    format: "jsonl",
  },
  config: {
    format: choice("lines", "jsonl").default("lines").doc(
      "With lines, texts are written as they are and other values as JSON; with jsonl, all as JSON.",
    ),
    content: choice("value", "record").default("value").doc(
      "What of a record is written: its value, or an object of topic, partition, offset, timestamp, " +
        "key, value and headers.",
    ),
  },
  open({ config, clock, signal }) {
    const writer = config.format === "lines" ? new TextLinesWriter() : new JsonLinesWriter();
    return {
      async write(records) {
        for (const record of records) writer.add(rowOf(record, config.content));
        const bytes = writer.drain("all");
        for (let done = 0; done < bytes.length;) {
          try {
            done += (await write(STDOUT, bytes, done, bytes.length - done, null)).bytesWritten;
          } catch (error) {
            const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
            if (!isFull) throw error;
            // A pipe that somebody has made non-blocking, and nobody reads.
            await clock.sleep(FULL_PAUSE_MS, signal);
            signal.throwIfAborted();
          }
        }
      },
    };
  },
});
