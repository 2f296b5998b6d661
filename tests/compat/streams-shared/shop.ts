/** The application that Java has as `java/StreamsShared.java`, what goes in, and what has to come out. */
import { Admin } from "../../../client/admin.ts";
import { Consumer } from "../../../client/consumer.ts";
import { Producer } from "../../../client/producer.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { expectEqual } from "../suite.ts";

/** Sales by till: counted by product, for all time and by second, named, and copied. */
export const SHOP_APP = `
import { safeLong, string, timeWindowed, TopologyBuilder, tumbling } from "kstream/stream";
export const config = {
  "application.id": "shop",
  "statestore.cache.max.bytes": 0,
  "session.timeout.ms": 3000,
  "heartbeat.interval.ms": 300,
  "transaction.timeout.ms": 4000,
};
const builder = new TopologyBuilder();
const text = { key: string(), value: string() };
const sales = builder.stream("sales", text).peek(() => Bun.sleepSync(1));
const byProduct = sales.groupBy("by-product", (product) => product, text);
byProduct.count("counts").toStream().to("totals");
byProduct.windowedBy(tumbling({ sizeMs: 1000, graceMs: 86_400_000 })).count("seconds")
  .toStream().to("per-second", { key: timeWindowed(string(), 1000), value: safeLong() });
const names = builder.table("names", "names", text);
sales.map((product, till) => [product, till], text)
  .joinTable(names, (till, name) => till + " sold " + name, { name: "naming", result: string() })
  .to("sold");
sales.repartition("spread", { partitions: 5 }).to("copied");
export default builder;
`;

/** Of the group, and before the names of its topics. */
export const APPLICATION_ID = "shop";

const PARTITIONS = 3;
const OUTER_TOPICS = ["sales", "names", "totals", "per-second", "sold", "copied"];
const BETWEEN = ["by-product", "naming", "spread"].map((name) => `shop-${name}-repartition`);
const PRODUCTS = Array.from({ length: 23 }, (_, i) => `größe-${i}`);
const PATIENCE_MS = 90_000;
const LOOK_MS = 100;
const PROGRESS = 200;
/** Records are of today: brokers would delete those of long ago. */
const BEGUN_MS = Date.now();

const io = { clock: bunClock, network: bunNetwork, random: bunRandom };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Sale {
  readonly till: string;
  readonly product: string;
  readonly timestampMs: number;
}

interface Written {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The topics of the application on a broker. */
export class Shop {
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #sales: Sale[] = [];

  private constructor(private readonly bootstrap: string) {
    this.#admin = new Admin(io, { brokers: [bootstrap] });
    this.#producer = new Producer(io, { brokers: [bootstrap] });
  }

  static async open(bootstrap: string): Promise<Shop> {
    const shop = new Shop(bootstrap);
    const topics = OUTER_TOPICS.map((name) => ({
      ...{ name, replicationFactor: 1 },
      partitions: name === "copied" ? 5 : PARTITIONS,
    }));
    for (const { error } of await shop.#admin.createTopics(topics)) {
      if (error !== null) throw error;
    }
    return shop;
  }

  async close(): Promise<void> {
    await this.#producer.close();
    this.#admin.close();
  }

  /** So many more sales; of these products, which have names from then on. */
  async sell(count: number, products: readonly string[] = PRODUCTS): Promise<void> {
    await this.#producer.sendAll(products.map((product) => ({
      ...{ topic: "names", key: encoder.encode(product), timestampMs: BEGUN_MS - 60_000 },
      value: encoder.encode(nameOf(product)),
    })));
    const from = this.#sales.length;
    const sales = Array.from({ length: count }, (_, i) => ({
      till: `till-${from + i}`,
      product: products[i % products.length]!,
      // Some come late.
      timestampMs: BEGUN_MS + (from + i) * 3 - (i % 10 === 7 ? 2000 : 0),
    }));
    this.#sales.push(...sales);
    await this.#producer.sendAll(sales.map(({ till, product, timestampMs }) => ({
      ...{ topic: "sales", timestampMs },
      ...{ key: encoder.encode(till), value: encoder.encode(product) },
    })));
  }

  /** Until all that was sold has come out. */
  async awaitAll(): Promise<void> {
    for (const topic of ["totals", "per-second", "sold", "copied"]) {
      await this.#read(topic, this.#sales.length);
    }
  }

  /** Until totals have gone on by some records. */
  async awaitProgress(): Promise<void> {
    const reach = async () => sum((await this.#ends("totals")).map(({ offset }) => offset));
    const before = await reach();
    await this.#until("nothing comes out", async () => await reach() >= before + PROGRESS);
  }

  /** Offsets of the topics between that are committed there and not yet processed, by topic. */
  async unprocessed(): Promise<[string, number][]> {
    const done = await this.#admin.groups.listOffsets(APPLICATION_ID);
    return await Promise.all(BETWEEN.map(async (name): Promise<[string, number]> => {
      const ends = await this.#ends(name);
      return [
        name,
        sum(ends.map(({ partition, offset }) => {
          const at = done.find((each) => each.topic === name && each.partition === partition);
          return offset - Number(at?.offset ?? 0);
        })),
      ];
    }));
  }

  /** Until so many offsets and more of each topic between are not yet processed. */
  async awaitUnprocessed(offsetsMin: number): Promise<void> {
    await this.#until("nothing is between", async () => {
      return (await this.unprocessed()).every(([, offsets]) => offsets >= offsetsMin);
    });
  }

  /** Until nobody is in the group. */
  async awaitEmptyGroup(): Promise<void> {
    await this.#until("the group keeps its members", async () => {
      return (await this.#admin.groups.describe(APPLICATION_ID)).state === "Empty";
    });
  }

  /** Every count follows the one before it up to the number of sales; each sale came out once. */
  async requireExact(): Promise<void> {
    const byProduct = (sale: Sale) => sale.product;
    expectEqual(await this.#counts("totals", text), this.#expected(byProduct), "totals");
    const bySecond = ({ product, timestampMs }: Sale) =>
      `${product} ${timestampMs - timestampMs % 1000}`;
    expectEqual(await this.#counts("per-second", window), this.#expected(bySecond), "per-second");
    const sold = await this.#read("sold", this.#sales.length);
    expectEqual(
      sold.map(({ key, value }) => `${text(key)}: ${text(value)}`).sort(),
      this.#sales.map(({ till, product }) => `${product}: ${till} sold ${nameOf(product)}`).sort(),
      "sold",
    );
    const copied = await this.#read("copied", this.#sales.length);
    expectEqual(
      copied.map(({ key, value }) => `${text(key)}: ${text(value)}`).sort(),
      this.#sales.map(({ till, product }) => `${till}: ${product}`).sort(),
      "copied",
    );
  }

  #expected(keyOf: (sale: Sale) => string): [string, number][] {
    const counts = new Map<string, number>();
    for (const sale of this.#sales) {
      counts.set(keyOf(sale), (counts.get(keyOf(sale)) ?? 0) + 1);
    }
    return [...counts].sort();
  }

  async #counts(topic: string, keyOf: (key: Uint8Array) => string): Promise<[string, number][]> {
    const counts = new Map<string, number>();
    for (const { key, value } of await this.#read(topic, this.#sales.length)) {
      const [name, count] = [keyOf(key), Number(Buffer.from(value).readBigInt64BE())];
      const before = counts.get(name) ?? 0;
      if (count !== before + 1) throw new Error(`${topic}: ${name} is ${count} after ${before}`);
      counts.set(name, count);
    }
    return [...counts].sort();
  }

  /** What is committed in a topic: so many records, and those that came with them. */
  async #read(topic: string, atLeast: number): Promise<Written[]> {
    const options = { brokers: [this.bootstrap], isolationLevel: "read_committed" } as const;
    const consumer = new Consumer(io, options);
    await consumer.assign(partitionsOf(topic).map((part) => ({ ...part, offset: 0n })));
    const found: Written[] = [];
    const isLate = AbortSignal.timeout(PATIENCE_MS);
    while (found.length < atLeast) {
      const chunk = await consumer.nextChunk(isLate).catch(() => {
        throw new Error(`${topic} has ${found.length} records, not ${atLeast}`);
      });
      for (const { key, value } of chunk?.records() ?? []) {
        found.push({ key: key!, value: value! });
      }
    }
    await consumer.close();
    return found;
  }

  /** How far committed records go. */
  async #ends(topic: string): Promise<{ partition: number; offset: number }[]> {
    const queries = partitionsOf(topic).map((part) => ({ ...part, at: "latest" as const }));
    const ends = await this.#admin.listOffsets(queries, { isolationLevel: "read_committed" });
    return ends.map(({ partition, offset, error }) => {
      if (error !== null) throw error;
      return { partition, offset: Number(offset) };
    });
  }

  async #until(trouble: string, holds: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (!await holds()) {
      if (performance.now() > deadlineMs) throw new Error(trouble);
      await Bun.sleep(LOOK_MS);
    }
  }
}

function partitionsOf(topic: string): { topic: string; partition: number }[] {
  const isWide = topic === "copied" || topic === "shop-spread-repartition";
  return Array.from({ length: isWide ? 5 : PARTITIONS }, (_, partition) => ({ topic, partition }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function nameOf(product: string): string {
  return product.toUpperCase();
}

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Key and start, as `Windowed` keys are written in topics. */
function window(bytes: Uint8Array): string {
  const start = Buffer.from(bytes).readBigInt64BE(bytes.length - 8);
  return `${text(bytes.subarray(0, -8))} ${start}`;
}
