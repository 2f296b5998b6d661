/**
 * Lines over HTTP against the Kafka port, by turns, into one broker process (`make build` first): a body
 * of `format=lines` (values as they are) and one of envelopes, and our own producer with the same
 * values, which makes its batches on another core. Run as a program of its own:
 * `bun bench/http-produce.ts [MEGABYTES] [LINE_BYTES]` prints MB (10^6 bytes of values) a second.
 */
import { Producer } from "../client/producer.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { withBroker } from "../tests/harness/broker-process.ts";
import { cpuSeconds } from "./measure.ts";

const MEGABYTES = Number(process.argv[2] ?? 1000);
const LINE_BYTES = Number(process.argv[3] ?? 1000);
const ROUNDS = 3;
const BLOCK_BYTES = 1 << 20;

/** JSON of about that size, as an order might be. */
function value(index: number): string {
  const plain = { id: index, total: index % 200, customer: `c${index % 97}`, note: "" };
  const room = Math.max(0, LINE_BYTES - JSON.stringify(plain).length - 1);
  return JSON.stringify({ ...plain, note: "lorem ipsum ".repeat(room / 12 + 1).slice(0, room) });
}

/** About a block of lines, and the bytes of their values. */
function block(lineOf: (index: number) => string): { bytes: Buffer; valueBytes: number } {
  const lines: string[] = [];
  let size = 0;
  let valueBytes = 0;
  for (let n = 0; size < BLOCK_BYTES; n++) {
    const line = lineOf(n);
    lines.push(`${line}\n`);
    size += line.length + 1;
    valueBytes += value(n).length;
  }
  return { bytes: Buffer.from(lines.join("")), valueBytes };
}

const LINES = block(value);
const ENVELOPES = block((n) => JSON.stringify({ key: `k${n}`, value: value(n), headers: [] }));

async function overHttp(admin: string, path: string, of: typeof LINES): Promise<number> {
  let left = Math.round(MEGABYTES * 1e6 / of.valueBytes);
  const bytes = left * of.valueBytes;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => left-- > 0 ? controller.enqueue(of.bytes) : controller.close(),
  });
  const answer = await fetch(`${admin}/v1/topics/${path}`, { method: "PUT", body });
  if (answer.status !== 200) throw new Error(await answer.text());
  await answer.text();
  return bytes;
}

async function overKafka(bootstrap: string): Promise<number> {
  const producer = new Producer(bunIo(), { brokers: [bootstrap] });
  const writer = await producer.topic("kafka");
  const blocks = Math.round(MEGABYTES * 1e6 / LINES.valueBytes);
  const { bytes } = LINES;
  for (let n = 0; n < blocks; n++) {
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(10, start);
      while (writer.appendRange(-1, 1_700_000_000_000, bytes, -1, -1, start, end) < 0) {
        await producer.room();
      }
      start = end + 1;
    }
  }
  await producer.close();
  return blocks * LINES.valueBytes;
}

await withBroker(async ({ bootstrap, admin, pid }) => {
  if (admin === null) throw new Error("the broker has no admin API");
  const ways: readonly (readonly [string, () => Promise<number>])[] = [
    ["kafka port", () => overKafka(bootstrap)],
    ["http lines", () => overHttp(admin, "lines/records?format=lines&create=true", LINES)],
    ["http envelopes", () => overHttp(admin, "envelopes/records?create=true", ENVELOPES)],
  ];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of ways) {
      const began = performance.now();
      const before = cpuSeconds(pid);
      const bytes = await run();
      const seconds = (performance.now() - began) / 1000;
      const cpu = cpuSeconds(pid) - before;
      const speed = Math.round(bytes / 1e6 / seconds);
      console.log(`${name}: ${speed} MB/s, broker ${(cpu / bytes * 1e9).toFixed(2)} CPU s/GB`);
    }
  }
}, { args: ["--durability", "os", "--set", "log.retention.bytes=200000000"] });
