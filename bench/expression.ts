/**
 * Filtering 1 KB JSON records by `v.total > 100 && h.trace === "x"`, as `consume --where` does, beside
 * JSON.parse alone and jq: `bun bench/expression.ts`. All values are JSON and half of the headers
 * match, so that nothing is spared. MB are 10^6 bytes of values.
 */
import { compileExpression, RecordScope } from "../core/expression/expression.ts";
import { NO_CODECS } from "../core/compression/codec.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";

const ROUND_MS = Number(process.argv[2] ?? 1500);
const COUNT = 1000;
const encoder = new TextEncoder();

/** A record of about 1 KB, as an order might be. */
function order(index: number): string {
  return JSON.stringify({
    id: 1_000_000 + index,
    trace: `t-${index}`,
    total: (index * 7919) % 200 + 0.5,
    customer: { id: index % 97, name: "Ada Lovelace", mail: "ada@example.com", tags: ["a", "b"] },
    items: Array.from({ length: 10 }, (_, item) => ({
      ...{ sku: `SKU-${item}`, qty: item, price: item * 1.25, text: "some words here" },
    })),
    note: "lorem ipsum dolor sit amet ".repeat(8),
  });
}

const values = Array.from({ length: COUNT }, (_, index) => encoder.encode(order(index)));
const texts = values.map((value) => new TextDecoder().decode(value));
const bytesPerRound = values.reduce((sum, value) => sum + value.length, 0);

function batch(): Uint8Array {
  const builder = new BatchBuilder({ baseOffset: 0 });
  values.forEach((value, index) => {
    builder.append(1_700_000_000_000, null, value, [["trace", encoder.encode("xy"[index % 2])]]);
  });
  return builder.build();
}

const records = batch();
const place = { topic: "orders", partition: 0 };

/** A round over all records with the expression. */
function filter(source: string): () => number {
  const where = compileExpression(source);
  const scope = new RecordScope();
  return () => {
    let kept = 0;
    const cursor = new RecordCursor(records, 0, NO_CODECS);
    while (cursor.next()) {
      scope.set(cursor, place);
      if (where.test(scope)) kept++;
    }
    return kept;
  };
}

function parseAlone(): number {
  let kept = 0;
  for (const text of texts) {
    const value: { total: number } = JSON.parse(text);
    if (value.total > 100) kept++;
  }
  return kept;
}

/** Megabytes a second of the best of five rounds of time. */
function measure(round: () => number): number {
  round();
  let best = 0;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    let rounds = 0;
    while (performance.now() - start < ROUND_MS / 5) {
      round();
      rounds++;
    }
    best = Math.max(best, (rounds * bytesPerRound) / 1e3 / (performance.now() - start));
  }
  return best;
}

/** Megabytes a second of `jq`, its start included, over some 50 MB; null where there is no jq. */
function measureJq(): number | null {
  if (Bun.which("jq") === null) return null;
  const rounds = Math.ceil(50e6 / bytesPerRound);
  const input = encoder.encode((texts.join("\n") + "\n").repeat(rounds));
  const start = performance.now();
  const { exitCode } = Bun.spawnSync(["jq", "-c", "select(.total > 100)"], {
    ...{ stdin: input, stdout: "ignore", stderr: "ignore" },
  });
  if (exitCode !== 0) return null;
  return input.length / 1e3 / (performance.now() - start);
}

const parse = measure(parseAlone);
const line = (name: string, rate: number) =>
  console.log(
    `${name.padEnd(44)} ${rate.toFixed(0).padStart(6)} MB/s   ${(rate / parse).toFixed(2)}`,
  );
console.log(`${Math.round(bytesPerRound / COUNT)} bytes a record; the last column is the ratio`);
line("JSON.parse of text, alone", parse);
line('v.total > 100 && h.trace === "x"', measure(filter('v.total > 100 && h.trace === "x"')));
line('h.trace === "x" && v.total > 100', measure(filter('h.trace === "x" && v.total > 100')));
line('h.trace === "x"', measure(filter('h.trace === "x"')));
line('valueText.includes("SKU-42")', measure(filter('valueText.includes("SKU-42")')));
line("/SKU-4[2-9]/.test(valueText)", measure(filter("/SKU-4[2-9]/.test(valueText)")));
line(
  "v.items.some(i => i.qty > 5)",
  measure(filter("v.items.some(i => i.qty > 5 && i.price < 8)")),
);
const jq = measureJq();
if (jq !== null) line("jq 'select(.total > 100)', text to text", jq);
