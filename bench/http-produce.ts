/**
 * Records over HTTP against the Kafka port, in turn, into one broker process (`make build` first), each
 * into a topic of its own that goes again. A body of `format=lines`, one of envelopes around text and
 * one of envelopes around JSON, whose quotes are escaped; they are ready in memory and go through a bare
 * socket. To the Kafka port our own producer sends the same values: it makes the batches, which costs
 * the client what it spares the broker, so the client's processor time is told apart.
 *
 * `bun bench/http-produce.ts [--megabytes 300] [--rounds 5] [--bytes 100,1000,10000]`, run as a program
 * of its own, prints tables. A round more comes first and is not counted. MB and GB (10^6 and 10^9
 * bytes) are those of values.
 */
import { Producer } from "../client/producer.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { type BrokerProcess, withBroker } from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { cpuSeconds, ratios, type Spread, spread } from "./measure.ts";
import { createTopic, deleteTopic } from "./workloads.ts";

const args = process.argv.slice(2);
const MEGABYTES = Number(optionAfter(args, "--megabytes", "300"));
const ROUNDS = Number(optionAfter(args, "--rounds", "5"));
const SIZES = optionAfter(args, "--bytes", "100,1000,10000").split(",").map(Number);
const BLOCK_BYTES = 1 << 20;

/** About a megabyte of lines, and how many bytes of values are in them. */
interface Block {
  readonly bytes: Buffer;
  readonly valueBytes: number;
}

interface Sample {
  readonly megabytesPerSecond: number;
  readonly brokerCpu: number;
  readonly clientCpu: number;
}

type Send = (broker: BrokerProcess, topic: string, block: Block, blocks: number) => Promise<void>;

interface Way {
  readonly name: string;
  readonly block: Block;
  readonly send: Send;
}

/** JSON of about that size, as an order might be. */
function json(index: number, bytes: number): string {
  const plain = { id: index, total: index % 200, customer: `c${index % 97}`, note: "" };
  const room = Math.max(0, bytes - JSON.stringify(plain).length);
  return JSON.stringify({ ...plain, note: "lorem ipsum ".repeat(room / 12 + 1).slice(0, room) });
}

function blockOf(valueOf: (index: number) => string, lineOf: (value: string, n: number) => string) {
  const lines: string[] = [];
  let size = 0;
  let valueBytes = 0;
  for (let n = 0; size < BLOCK_BYTES; n++) {
    const value = valueOf(n);
    const line = `${lineOf(value, n)}\n`;
    lines.push(line);
    size += line.length;
    valueBytes += value.length;
  }
  return { bytes: Buffer.from(lines.join("")), valueBytes };
}

function waysOf(recordBytes: number): Way[] {
  const value = (n: number) => json(n, recordBytes);
  const text = (n: number) => value(n).replaceAll('"', "'");
  const envelope = (value: string, n: number) => JSON.stringify({ key: `k${n}`, value });
  const lines = blockOf(value, (value) => value);
  return [
    { name: "Kafka port", block: lines, send: overKafka },
    { name: "HTTP, lines", block: lines, send: overHttp("?format=lines") },
    { name: "HTTP, envelopes", block: blockOf(text, envelope), send: overHttp("") },
    { name: "HTTP, envelopes of JSON", block: blockOf(value, envelope), send: overHttp("") },
  ];
}

/** A request whose body is the block, so many times, on a connection of its own. */
function overHttp(query: string): Send {
  return async ({ admin }, topic, { bytes }, blocks) => {
    if (admin === null) throw new Error("the broker has no admin API");
    const { host, hostname, port } = new URL(admin);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let left = blocks;
    let position = 0;
    let answer = "";
    const send = (socket: Bun.Socket) => {
      while (left > 0) {
        const taken = socket.write(bytes.subarray(position));
        if (taken < 0) return;
        position += taken;
        if (position < bytes.length) return;
        position = 0;
        left--;
      }
    };
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, chunk) => {
          answer += chunk.toString();
          if (answer.endsWith("}") || answer.endsWith("\n")) resolve(answer);
        },
        drain: send,
        close: () => reject(new Error(`the connection has ended: ${answer}`)),
        error: (_, error) => reject(error),
      },
    });
    socket.write(
      `PUT /v1/topics/${topic}/records${query} HTTP/1.1\r\nhost: ${host}\r\n` +
        `content-length: ${blocks * bytes.length}\r\n\r\n`,
    );
    send(socket);
    const said = await promise;
    socket.end();
    if (!said.startsWith("HTTP/1.1 200 ")) throw new Error(said);
  };
}

async function overKafka(
  { bootstrap }: BrokerProcess,
  topic: string,
  { bytes }: Block,
  blocks: number,
): Promise<void> {
  const producer = new Producer(bunIo(), { brokers: [bootstrap] });
  const writer = await producer.topic(topic);
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
}

async function measure(broker: BrokerProcess, { block, send }: Way): Promise<Sample> {
  const topic = `bench-${Bun.nanoseconds()}`;
  await createTopic(broker, topic, 1);
  const blocks = Math.max(1, Math.round(MEGABYTES * 1e6 / block.valueBytes));
  const beganMs = performance.now();
  const brokerBefore = cpuSeconds(broker.pid);
  const clientBefore = process.cpuUsage();
  await send(broker, topic, block, blocks);
  const seconds = (performance.now() - beganMs) / 1000;
  const { user, system } = process.cpuUsage(clientBefore);
  const gigabytes = blocks * block.valueBytes / 1e9;
  const sample = {
    megabytesPerSecond: gigabytes * 1000 / seconds,
    brokerCpu: (cpuSeconds(broker.pid) - brokerBefore) / gigabytes,
    clientCpu: (user + system) / 1e6 / gigabytes,
  };
  await deleteTopic(broker, topic);
  return sample;
}

function range({ min, median, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} – ${max.toFixed(digits)})`;
}

await withBroker(async (broker) => {
  for (const recordBytes of SIZES) {
    const ways = waysOf(recordBytes);
    const samples = ways.map((): Sample[] => []);
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [index, way] of ways.entries()) {
        const sample = await measure(broker, way);
        if (round > 0) samples[index]!.push(sample);
      }
    }
    console.log(
      `\n| ${recordBytes} B | MB/s | of the Kafka port's | broker CPU, s/GB | ` +
        `of the Kafka port's | client CPU, s/GB |\n| --- | --- | --- | --- | --- | --- |`,
    );
    const of = (index: number, key: keyof Sample) => samples[index]!.map((sample) => sample[key]);
    for (const [index, { name }] of ways.entries()) {
      const against = (key: keyof Sample) =>
        index === 0 ? "" : range(ratios(of(index, key), of(0, key)), 2);
      console.log(
        `| ${name} | ${range(spread(of(index, "megabytesPerSecond")), 0)} | ` +
          `${against("megabytesPerSecond")} | ${range(spread(of(index, "brokerCpu")), 1)} | ` +
          `${against("brokerCpu")} | ${range(spread(of(index, "clientCpu")), 1)} |`,
      );
    }
  }
}, { args: ["--durability", "os", "--set", "kstream.trash.ms=0"] });
