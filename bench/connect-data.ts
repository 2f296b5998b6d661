/**
 * What a connector's task does to a record besides moving it: from JSON, through transforms, to JSON,
 * on one core: `bun bench/connect-data.ts [MS]`; beside Kafka Connect's classes in one thread of a
 * warmed JVM with `--java`. Thousands of records a second, median of five rounds.
 */
import { converterOf } from "../connect/converters/registry.ts";
import { sourceRecord } from "../connect/data/record.ts";
import { chainOf } from "../connect/transforms/chain.ts";
import { javaProgram, needJavaPrograms } from "../tests/compat/java-programs.ts";
import { run } from "../tests/harness/process.ts";
import { spread } from "./measure.ts";

const ROUND_MS = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 1000);
const COUNT = 1000;
const JSON_CLASS = "org.apache.kafka.connect.json.JsonConverter";
const TRANSFORMS = "org.apache.kafka.connect.transforms";

/** An order of about 400 bytes. */
function order(index: number): string {
  return JSON.stringify({
    id: 1_000_000_000_000 + index,
    customer: `customer-${index % 97}`,
    total: (index * 7919) % 200 + 0.5,
    paid: index % 2 === 0,
    address: { street: "Some Street 17", city: "Berlin", country: "DE" },
    tags: ["a", "b", "c"],
    note: "lorem ipsum dolor sit amet ".repeat(6),
  });
}

const FIELDS = [
  { type: "int64", field: "id" },
  { type: "string", field: "customer" },
  { type: "double", field: "total" },
  { type: "boolean", field: "paid" },
  {
    type: "struct",
    field: "address",
    fields: ["street", "city", "country"].map((field) => ({ type: "string", field })),
  },
  { type: "array", items: { type: "string", optional: false }, field: "tags" },
  { type: "string", field: "note" },
];

function withSchema(payload: string): string {
  const strict = JSON.parse(JSON.stringify({ type: "struct", fields: FIELDS, optional: false }));
  return `{"schema":${JSON.stringify(strict)},"payload":${payload}}`;
}

const CHAIN = {
  transforms: "rename,flat,insert,mask",
  "transforms.rename.type": `${TRANSFORMS}.ReplaceField$Value`,
  "transforms.rename.exclude": "tags",
  "transforms.rename.renames": "customer:buyer",
  "transforms.flat.type": `${TRANSFORMS}.Flatten$Value`,
  "transforms.insert.type": `${TRANSFORMS}.InsertField$Value`,
  "transforms.insert.topic.field": "topic",
  "transforms.mask.type": `${TRANSFORMS}.MaskField$Value`,
  "transforms.mask.fields": "note",
};

interface Load {
  readonly name: string;
  readonly schemas: boolean;
  readonly chain: Readonly<Record<string, string>>;
}

const LOADS: readonly Load[] = [
  { name: "plain JSON, no transform", schemas: false, chain: {} },
  { name: "plain JSON, four transforms", schemas: false, chain: CHAIN },
  { name: "JSON with schema, no transform", schemas: true, chain: {} },
  { name: "JSON with schema, four transforms", schemas: true, chain: CHAIN },
];

function texts(schemas: boolean): string[] {
  return Array.from({ length: COUNT }, (_, i) => schemas ? withSchema(order(i)) : order(i));
}

/** Thousands of records a second, in rounds. */
function measure({ schemas, chain }: Load): number[] {
  const raw = {
    ...chain,
    "value.converter": JSON_CLASS,
    "value.converter.schemas.enable": String(schemas),
  };
  const [input, output] = [
    converterOf(raw, "value.converter"),
    converterOf(raw, "value.converter"),
  ];
  const transforms = chainOf(raw);
  const values = texts(schemas).map((text) => new TextEncoder().encode(text));
  return Array.from({ length: 6 }, () => {
    const start = performance.now();
    let records = 0;
    let bytes = 0;
    while (performance.now() - start < ROUND_MS) {
      for (const value of values) {
        const read = input.fromBytes("orders", value);
        const record = transforms.apply(
          sourceRecord({ topic: "orders", value: read.value, valueSchema: read.schema }),
        );
        bytes += output.toBytes("orders", record!.valueSchema, record!.value)!.length;
      }
      records += values.length;
    }
    if (bytes === 0) throw new Error("nothing was written");
    return records / (performance.now() - start);
  }).slice(1);
}

async function measureJava({ schemas, chain }: Load): Promise<number[]> {
  const input = [
    JSON.stringify({ roundMs: ROUND_MS, schemas: String(schemas), chain }),
    ...texts(schemas),
  ];
  // With the compiler that servers have, which tests leave out to start sooner.
  const command = javaProgram("ConnectBench").filter((part) => !part.startsWith("-XX:Tiered"));
  const finished = await run(command, {
    input: input.join("\n"),
    timeoutMs: ROUND_MS * 20 + 30_000,
  });
  if (finished.exitCode !== 0) throw new Error(finished.stderr.slice(-2000));
  return finished.stdout.trim().split("\n").map(Number);
}

if (process.argv.includes("--java")) {
  const reason = await needJavaPrograms();
  if (reason !== null) throw new Error(reason);
}
for (const load of LOADS) {
  const ours = spread(measure(load));
  const of = `${load.name}: ${Math.round(ours.median)} (${Math.round(ours.min)} to ${
    Math.round(ours.max)
  })`;
  if (!process.argv.includes("--java")) console.log(of);
  else {
    const java = spread(await measureJava(load));
    const ratio = (ours.median / java.median).toFixed(2);
    console.log(`${of}; Kafka's classes ${Math.round(java.median)}; ${ratio} times`);
  }
}
