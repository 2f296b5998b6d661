/**
 * Latency of acks=all at a steady rate, one record a batch, spread over many partitions: from the
 * moment a record was due (not sent: a stall counts for every record that it held up) to its
 * acknowledgement. Run as a program of its own so that the broker's and the client's loops differ:
 * `bun bench/paced.ts BOOTSTRAP TOPIC PARTITIONS RATE SECONDS` prints percentiles as JSON.
 */
import { Producer } from "../client/index.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { percentiles } from "./percentiles.ts";

const WARM_SECONDS = 2;

async function main(args: readonly string[]): Promise<void> {
  const [bootstrap = "", topic = "", ...numbers] = args;
  const [partitions = 1, rate = 1, seconds = 1] = numbers.map(Number);
  const [host = "", port = ""] = bootstrap.split(":");
  const producer = new Producer(bunIo(), {
    brokers: [{ host, port: Number(port) }],
    acks: "all",
    lingerMs: 0,
  });
  const value = new Uint8Array(100);
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const start = performance.now();
  const total = rate * (seconds + WARM_SECONDS);
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor((performance.now() - start) / 1000 * rate));
    for (; sent < due; sent++) {
      const dueMs = start + sent / rate * 1000;
      const isWarm = sent >= rate * WARM_SECONDS;
      pending.push(
        producer.send({ topic, partition: sent % partitions, value }).then(() => {
          if (isWarm) latencies.push(performance.now() - dueMs);
        }),
      );
    }
    await Bun.sleep(1);
  }
  await Promise.all(pending);
  await producer.close();
  console.log(JSON.stringify(percentiles(latencies)));
}

await main(process.argv.slice(2));
