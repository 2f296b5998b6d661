/**
 * A search through one partition by the admin API, in the broker's own process as it is there: a text
 * that is nowhere in lines of 200 bytes, and expressions over JSON of 1 KB. Run as a program of its
 * own: `bun bench/search.ts [MEGABYTES]` prints MB (10^6 bytes of values) a second of time and of CPU.
 */
import { rmSync } from "node:fs";
import { Producer } from "../client/producer.ts";
import { adminApp } from "../admin/app.ts";
import { adminServices } from "../admin/services.ts";
import { startBroker } from "../broker/start-broker.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { silentLogger } from "../core/logger.ts";
import { freshDir } from "../tests/harness/broker-process.ts";

const MEGABYTES = Number(process.argv[2] ?? 1000);
const LINE_BYTES = 200;
const encoder = new TextEncoder();

function json(index: number): Uint8Array {
  const order = { id: index, total: index % 200, note: "lorem ipsum dolor sit amet ".repeat(35) };
  return encoder.encode(JSON.stringify(order));
}

function line(index: number): Uint8Array {
  return encoder.encode(`${index} GET /items/${index % 977} 200 `.padEnd(LINE_BYTES, "abcdefgh "));
}

const dataDir = freshDir("search");
const topic = (name: string) => ({
  ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [] },
  configs: [{ name: "kstream.durability", value: "os" }],
});
const running = await startBroker({
  ...{ io: bunIo(), logger: silentLogger, dataDir },
  topics: [topic("lines"), topic("orders")],
});
const noPages = () => Promise.resolve(null);
const services = adminServices(running, noPages, "bench");
const app = adminApp(services, "127.0.0.1", null);

async function fill(name: string, make: (index: number) => Uint8Array): Promise<number> {
  const producer = new Producer(bunIo(), { brokers: [`127.0.0.1:${running.port}`] });
  const writer = await producer.topic(name);
  const values = Array.from({ length: 10_000 }, (_, index) => make(index));
  let bytes = 0;
  for (let n = 0; bytes < MEGABYTES * 1e6; n++) {
    const value = values[n % values.length]!;
    while (writer.appendRange(0, 1_700_000_000_000, value, -1, -1, 0, value.length) < 0) {
      await producer.room();
    }
    bytes += value.length;
  }
  await producer.close();
  return bytes;
}

async function search(name: string, bytes: number, body: object): Promise<void> {
  const began = performance.now();
  const before = process.cpuUsage();
  const answer = await app.fetch(
    new Request(`http://127.0.0.1/v1/topics/${name}/search`, {
      method: "POST",
      headers: { host: "127.0.0.1", "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
    { peer: { host: "127.0.0.1", port: 1 } },
  );
  const lines = (await answer.text()).trim().split("\n");
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  const { end } = JSON.parse(lines.at(-1) ?? "");
  const perSecond = Math.round(bytes / 1e6 / seconds);
  const perCpuSecond = Math.round(bytes / ((user + system) || 1));
  console.log(
    `${JSON.stringify(body)}: ${perSecond} MB/s, ${perCpuSecond} MB per CPU second, ` +
      `${end.scanned} records, ${end.found} found, ${lines.length} lines`,
  );
}

try {
  const lines = await fill("lines", line);
  const orders = await fill("orders", json);
  for (let round = 0; round < 3; round++) {
    await search("lines", lines, { text: "nowhere to be found" });
    await search("orders", orders, { where: 'v.total > 198 && v.note.includes("x")' });
    await search("orders", orders, { where: "v.total > 1000" });
  }
} finally {
  services.close();
  await running.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
