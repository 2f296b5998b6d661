/** The lines of standard input. */
import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { lineRecords, streamFields } from "../../formats/index.ts";
import { defineSource, string } from "../../index.ts";

const read = promisify(readCallback);
const STDIN = 0;

export default defineSource({
  name: "stdin",
  version: "1.0.0",
  delivery: "at-most-once",
  doc:
    "Reads lines from the standard input of the worker, to its end: for `kstream connect run` in a " +
    "pipe. Nothing is remembered: what was read and was not stored yet is lost when the worker dies.",
  example: {
    topic: "lines",
  },
  config: {
    topic: string().importance("HIGH").doc("The topic that records are written to."),
    ...streamFields,
  },
  async *read({ config, signal, log }) {
    // A read cannot be called off; it is left alone when the task ends.
    const aborted = new Promise<number>((resolve) =>
      signal.addEventListener("abort", () => resolve(0), { once: true })
    );
    const take = async (into: Uint8Array, at: number) => {
      if (signal.aborted) return 0;
      const reading = read(STDIN, into, at, into.length - at, null);
      return await Promise.race([reading.then(({ bytesRead }) => bytesRead), aborted]);
    };
    yield* lineRecords(take, config.topic, config, log);
  },
});
