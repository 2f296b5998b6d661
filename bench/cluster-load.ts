/**
 * Clients of a cluster under measurement, each a program of its own beside the brokers:
 * `bun bench/cluster-load.ts flood|follow|pace BROKERS TOPIC NUMBER`. `flood` produces as fast as it can
 * and `follow` reads for so many seconds; `pace` produces so many records a second, and at each line of
 * its input tells how the records went that were due since the last one. All print JSON, and end with
 * their input.
 */
import { Consumer, Producer } from "../client/index.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { linesOf } from "../tests/harness/process.ts";
import { type Percentiles, percentiles } from "./percentiles.ts";

const RECORD_BYTES = 1000;
const CHECK_EVERY = 1000;

/** What `flood` prints. */
export interface Flooded {
  readonly acknowledged: number;
  readonly failed: number;
}

/** What `follow` prints. */
export interface Followed {
  readonly records: number;
}

/** What `pace` prints: latencies from the moment that a record was due to its acknowledgement. */
export interface Paced extends Percentiles {
  readonly acknowledged: number;
  readonly failed: number;
}

function say(what: Flooded | Followed | Paced): void {
  console.log(JSON.stringify(what));
}

async function flood(brokers: readonly string[], name: string, seconds: number): Promise<void> {
  let [acknowledged, failed] = [0, 0];
  const producer = new Producer(bunIo(), {
    brokers,
    acks: "all",
    onBatch: ({ error, recordCount }) => {
      if (error === null) acknowledged += recordCount;
      else failed += recordCount;
    },
  });
  const topic = await producer.topic(name);
  const value = crypto.getRandomValues(new Uint8Array(RECORD_BYTES));
  const endMs = performance.now() + seconds * 1000;
  for (let sent = 0; sent % CHECK_EVERY !== 0 || performance.now() < endMs;) {
    if (topic.append(-1, Date.now(), null, value) < 0) await producer.room();
    else if (++sent % CHECK_EVERY === 0) await Bun.sleep(0);
  }
  await producer.flush();
  await producer.close();
  say({ acknowledged, failed });
}

async function follow(brokers: readonly string[], topic: string, seconds: number): Promise<void> {
  let records = 0;
  const groupId = `followers-${process.pid}`;
  const consumer = new Consumer(bunIo(), { brokers, groupId });
  consumer.subscribe([topic]);
  const running = consumer.run({
    eachBatch: (batch) => {
      records += batch.records.length;
    },
  });
  await Promise.race([running, Bun.sleep(seconds * 1000)]);
  await consumer.close();
  await running;
  say({ records });
}

/** The records that were due in a stretch of time. */
class Stretch {
  readonly pending = new Set<Promise<void>>();
  readonly #latencies: number[] = [];
  #failed = 0;

  add(dueMs: number, sent: Promise<unknown>): void {
    const one = sent.then(
      () => void this.#latencies.push(performance.now() - dueMs),
      (error: unknown) => {
        this.#failed++;
        console.error(String(error));
      },
    ).finally(() => this.pending.delete(one));
    this.pending.add(one);
  }

  async result(): Promise<Paced> {
    await Promise.all(this.pending);
    const acknowledged = this.#latencies.length;
    return { acknowledged, failed: this.#failed, ...percentiles(this.#latencies) };
  }
}

async function pace(brokers: readonly string[], name: string, perSecond: number): Promise<void> {
  const producer = new Producer(bunIo(), { brokers, acks: "all" });
  const { partitionCount } = await producer.topic(name);
  const value = crypto.getRandomValues(new Uint8Array(RECORD_BYTES));
  let stretch = new Stretch();
  let isOver = false;
  const telling = (async () => {
    for await (const _ of linesOf(Bun.stdin.stream())) {
      const past = stretch;
      stretch = new Stretch();
      say(await past.result());
    }
    isOver = true;
  })();
  const startMs = performance.now();
  for (let sent = 0; !isOver;) {
    const due = Math.floor((performance.now() - startMs) / 1000 * perSecond);
    for (; sent < due; sent++) {
      const dueMs = startMs + sent / perSecond * 1000;
      stretch.add(dueMs, producer.send({ topic: name, partition: sent % partitionCount, value }));
    }
    await Bun.sleep(1);
  }
  await telling;
  await stretch.result();
  await producer.close();
}

async function main(args: readonly string[]): Promise<void> {
  const [kind = "", bootstrap = "", topic = "", number = ""] = args;
  const ways: Readonly<Record<string, typeof flood>> = { flood, follow, pace };
  const way = ways[kind];
  if (way === undefined) throw new Error(`"${kind}" is none of ${Object.keys(ways).join(", ")}`);
  await way(bootstrap.split(","), topic, Number(number));
}

if (import.meta.main) await main(process.argv.slice(2));
