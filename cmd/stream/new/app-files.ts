/** An application to begin with, its test, and what stands around it. */
import { packageFiles } from "../../new-folder.ts";

/** By name of the file. */
export function appFiles(name: string, version: string): Readonly<Record<string, string>> {
  return {
    [`${name}.ts`]: app(name),
    [`${name}.test.ts`]: appTest(name),
    "README.md": readme(name),
    ...packageFiles({ name, scripts: { test: "bun test" } }, version),
  };
}

function app(name: string): string {
  return `import { string, TopologyBuilder } from "kstream/stream";

/** Settings, by the names of Kafka Streams. Members with the same id share the work. */
export const config = { "application.id": "${name}" };

const builder = new TopologyBuilder();

// How often each word was there so far. Types go along: \`word\` is a string, \`count\` a number.
builder.stream("${name}-lines", { value: string() })
  .flatMapValues((line) => line.toLowerCase().match(/\\p{L}+/gu) ?? [], string())
  // What leaves a trace in the cluster has a name: this topic, and the store of the counts.
  .groupBy("by-word", (word) => word, { key: string() })
  .count("counts")
  .toStream()
  .mapValues((count) => String(count), string())
  .to("${name}-counts");

export default builder;
`;
}

function appTest(name: string): string {
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, { config } from "./${name}.ts";

test("words are counted, whatever their case", () => {
  const driver = new TestDriver(builder, { config });
  const lines = driver.input("${name}-lines", string(), string());
  const counts = driver.output("${name}-counts", string(), string());
  lines.write(null, "Hello hello");
  lines.write(null, "hello, world");
  assert.deepEqual(counts.readMap(), new Map([["hello", "3"], ["world", "1"]]));
  driver.close();
});
`;
}

function readme(name: string): string {
  return `# ${name}

An application of kstream stream. Nothing has to be built or installed to run it:

    kstream stream describe ${name}.ts        # its steps, stores and topics
    kstream stream test ${name}.test.ts       # without a broker
    kstream topic create ${name}-lines ${name}-counts -p 3
    kstream stream run ${name}.ts             # until Ctrl-C; several share the work

In other terminals:

    kstream produce ${name}-lines
    kstream consume ${name}-counts --format json

Before a changed application goes on where this one was, \`kstream stream diff\` says what that means;
\`kstream stream reset ${name}.ts\` has it begin anew.

Types for your editor:

    npm install
`;
}
