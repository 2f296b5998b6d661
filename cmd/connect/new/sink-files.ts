/** A sink to begin with. */

/** By name of the file. */
export function sinkFiles(name: string): Readonly<Record<string, string>> {
  return {
    [`${name}.ts`]: `import { appendFile } from "node:fs/promises";
import { defineSink, RetriableError, string } from "kstream/connect";

export default defineSink({
  name: "${name}",
  doc: "Appends values to a file, as JSON, a line each.",
  version: "0.1.0",
  config: {
    file: string().doc("The file that lines are appended to."),
  },
  open({ config, reject }) {
    return {
      // What is written is safe when this resolves; a sink that buffers has \`flush\` as well.
      async write(records) {
        let lines = "";
        for (const record of records) {
          if (record.value === null) await reject(record, new Error("it has no value"));
          else lines += JSON.stringify(record.value) + "\\n";
        }
        try {
          await appendFile(config.file, lines);
        } catch (error) {
          // The same records come again after a pause. Any other error fails the task.
          throw new RetriableError(\`cannot write \${config.file}\`, { cause: error });
        }
      },
    };
  },
});
`,
    [`${name}.yaml`]: `name: ${name}
connector: ${name}
topics: [orders]
file: ${name}.jsonl
`,
    [`${name}.test.ts`]: `import assert from "node:assert/strict";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runSink, sinkRecords } from "kstream/connect/testing";
import sink from "./${name}.ts";

test("values become lines, and what has none is rejected", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "${name}-")), "lines");
  const run = await runSink(sink, { file }, sinkRecords([{ id: 1 }, null, { id: 2 }]));
  assert.equal(await readFile(file, "utf8"), '{"id":1}\\n{"id":2}\\n');
  assert.deepEqual(run.rejected.map(({ error }) => error.message), ["it has no value"]);
  assert.deepEqual(run.committed(), { "test-0": 3n });
});
`,
  };
}
