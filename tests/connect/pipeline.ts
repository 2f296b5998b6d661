/**
 * `bun tests/connect/pipeline.ts [--seconds 600] [--seed 1] [--verbose]`: rows of PostgreSQL through a
 * topic, and transformed into Parquet on S3 and into SQLite, for a while in which workers, the broker,
 * PostgreSQL and the store of objects are killed again and again. Each row is in each target once.
 */
import { Database } from "bun:sqlite";
import { parquetReadObjects } from "hyparquet";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freshDir } from "../harness/broker-process.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { complaints, Ledger } from "./kit/ledger.ts";
import { startBroker, Workers } from "./kit/processes.ts";
import { FILLER } from "./kit/system.ts";
import type { Item } from "./kit/system.ts";
import { insertItems, startWithItems } from "./kit/systems/postgres-cdc.ts";
import { away, makeTrouble, processTroubles } from "./kit/troubles.ts";
import { needPostgres } from "./servers/postgres.ts";
import { needVersitygw, S3Server } from "./servers/versitygw.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    seed: { type: "string", default: "1" },
    verbose: { type: "boolean", default: false },
  },
});
const TOPIC = "shop.public.items";
const KEYS = 20;
const PORTION = 10;
const PORTION_EVERY_MS = 50;
const OBJECT_RECORDS = 50;
/** So many more rows fill the last object of each partition. */
const FILLERS = 600;
const PATIENCE_MS = 180_000;

for (const missing of [await needPostgres(), await needVersitygw()]) {
  if (missing !== null) throw new Error(missing);
}
const folder = freshDir("pipeline");
const staging = join(folder, "staging");
mkdirSync(staging);
const file = join(folder, "shop.db");
const database = new Database(file, { create: true });
database.exec("PRAGMA journal_mode = WAL");
database.exec("CREATE TABLE items (key text, n integer, via text)");
const postgres = await startWithItems();
const store = await S3Server.start();
const broker = await startBroker(folder, [`${TOPIC}:3`]);
const workers = new Workers(broker.bootstrap, true);
const ledger = new Ledger();
const random = new SimRandom(Number(values.seed));
const beganMs = performance.now();
const tell = (what: string) => {
  if (values.verbose) console.log(`${((performance.now() - beganMs) / 1000).toFixed(1)} ${what}`);
};

const CONNECTORS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  shop: {
    "connector.class": "postgres-cdc-source",
    ...postgres.captureConfig,
    "topic.prefix": "shop",
    "table.include.list": "public.items",
    "exactly.once.support": "required",
  },
  lake: {
    "connector.class": "s3-sink",
    ...store.config,
    "staging.directory": staging,
    format: "parquet",
    "flush.size": String(OBJECT_RECORDS),
    ...sinkConfig(),
  },
  copy: {
    "connector.class": "sql-sink",
    "connection.url": `sqlite:${file}`,
    "table.name.format": "items",
    ...sinkConfig(),
  },
};

function sinkConfig() {
  return {
    topics: TOPIC,
    "tasks.max": "2",
    transforms: "row,via",
    "transforms.row.type": "ExtractField$Value",
    "transforms.row.field": "after",
    "transforms.via.type": "InsertField$Value",
    "transforms.via.static.field": "via",
    "transforms.via.static.value": "pipeline",
    "consumer.override.isolation.level": "read_committed",
    "consumer.override.session.timeout.ms": "3000",
    "errors.retry.delay.max.ms": "1000",
  };
}

async function inLake(): Promise<Item[]> {
  const client = store.client();
  const items: Item[] = [];
  for (let after = "";;) {
    const { contents = [], isTruncated } = await client.list({
      prefix: "topics/",
      ...after === "" ? {} : { startAfter: after },
    });
    for (const { key } of contents) {
      const bytes = await client.file(key).arrayBuffer();
      const rows = await parquetReadObjects({ file: bytes });
      items.push(...rows.flatMap(itemOf));
    }
    if (isTruncated !== true) return items;
    after = contents.at(-1)!.key;
  }
}

function inCopy(): Item[] {
  return database.query<Record<string, unknown>, []>("SELECT * FROM items").all().flatMap(itemOf);
}

/** Only what went through the transforms counts. */
function itemOf({ key, n, via }: Record<string, unknown>): Item[] {
  return key === FILLER || via !== "pipeline" ? [] : [{ key: String(key), n: Number(n) }];
}

async function configure(): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (const [name, config] of Object.entries(CONNECTORS)) {
    while (await workers.ask("PUT", `/connectors/${name}/config`, config) === undefined) {
      if (performance.now() > deadline) throw new Error(`${name} cannot be configured`);
      await Bun.sleep(100);
    }
  }
}

async function story(): Promise<string[]> {
  await workers.add();
  await workers.add();
  await configure();
  let isOver = false;
  const feeding = (async () => {
    while (!isOver) {
      const portion = Array.from({ length: PORTION }, () => ledger.next(`k${random.below(KEYS)}`));
      await insertItems(postgres, portion);
      await Bun.sleep(PORTION_EVERY_MS);
    }
  })();
  feeding.catch(() => {});
  const kinds = [
    ...processTroubles(workers, broker, random),
    away("PostgreSQL killed", { down: () => postgres.down(), up: () => postgres.up() }, random),
    away("store killed", { down: () => store.down(), up: () => store.up() }, random),
    away("store slow", {
      down: () => Promise.resolve(store.freeze()),
      up: () => Promise.resolve(store.thaw()),
    }, random),
  ];
  const works = async () => {
    const before = inCopy().length;
    const deadline = performance.now() + PATIENCE_MS;
    while (inCopy().length === before && performance.now() < deadline) await Bun.sleep(100);
  };
  const made = await makeTrouble(kinds, random, Number(values.seconds) * 1000, tell, works);
  isOver = true;
  await feeding;
  await insertItems(postgres, Array.from({ length: FILLERS }, (_, n) => ({ key: FILLER, n })));
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const lake = ledger.judge(await inLake());
    const copy = ledger.judge(inCopy());
    tell(`${lake.lost.length} rows are not in the lake yet, ${copy.lost.length} not in the copy`);
    if (lake.lost.length + copy.lost.length === 0 || performance.now() > deadline) break;
    await Bun.sleep(1000);
  }
  await Bun.sleep(3000);
  const lake = ledger.judge(await inLake());
  const copy = ledger.judge(inCopy());
  const troubles = Array.from(made, ([name, count]) => `${count} ${name}`).join(", ");
  console.log(
    `${ledger.size} rows; lake: ${lake.lost.length} lost, ${lake.doubled.length} doubled; ` +
      `copy: ${copy.lost.length} lost, ${copy.doubled.length} doubled; ${troubles}`,
  );
  return [
    ...complaints(lake, "exactly-once", false).map((what) => `lake: ${what}`),
    ...complaints(copy, "exactly-once", false).map((what) => `copy: ${what}`),
  ];
}

const LOG_SHOWN = 8000;
let wrong: string[] = [];
try {
  wrong = await story();
  const log = await workers.close();
  if (wrong.length > 0) console.log(`${wrong.join("\n")}\n${log.slice(-LOG_SHOWN)}`);
} finally {
  workers.kill();
  database.close();
  await postgres.stop();
  await store.stop();
  await broker.end();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(wrong.length === 0 ? 0 : 1);
