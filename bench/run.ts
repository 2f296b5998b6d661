/**
 * `bun bench/run.ts [--pairs 5] [--scale 1] [--only REGEX] [PART…]`: measures and writes
 * `bench/results/DATE-COMMIT.json`. Parts: throughput, fsync, startup, commands,
 * transactions, replication, shards, many, clients.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needEtcd, needKafka, needKcat } from "../tests/compat/install.ts";
import { freshDir } from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { run } from "../tests/harness/process.ts";
import { clients } from "./clients.ts";
import { commands } from "./commands.ts";
import { fsyncFigures } from "./fsync.ts";
import { machine, warmMemory } from "./measure.ts";
import { replication } from "./replication.ts";
import { shards } from "./shards.ts";
import { startup } from "./startup.ts";
import { manyPartitionsLoad } from "./many-partitions-load.ts";
import { transactions } from "./transactions.ts";
import { throughput } from "./throughput.ts";

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const pairs = Number(optionAfter(args, "--pairs", "5"));
  const scale = Number(optionAfter(args, "--scale", "1"));
  const only = new RegExp(optionAfter(args, "--only", "."));
  const parts = {
    throughput: () => throughput(pairs, scale, only),
    fsync: () => fsyncFigures(scale),
    startup: () => startup(pairs * 2),
    commands: () => commands(pairs, scale),
    transactions: () => transactions(pairs),
    replication: () => replication(pairs, scale),
    shards: () => shards(pairs, scale),
    many: () => manyPartitionsLoad(pairs, scale),
    clients: () => clients(pairs, only),
  };
  for (const need of [needKafka, needKcat, needEtcd]) {
    const reason = await need();
    if (reason !== null) {
      console.error(`bench: ${reason}`);
      return 1;
    }
  }
  const scratch = freshDir("warm");
  await warmMemory(scratch, Math.ceil(4 * scale));
  const named = args.filter((arg) => arg in parts);
  const commit = (await run(["git", "rev-parse", "--short", "HEAD"])).stdout.trim();
  const at = new Date().toISOString();
  const dir = join(import.meta.dir, "results");
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${at.slice(0, 10)}-${commit}.json`);
  const measured: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(parts)) {
    if (named.length > 0 && !named.includes(name)) continue;
    console.log(`── ${name}`);
    measured[name] = await part();
    // Each part when it is there; what others have measured of the same commit on that day stays.
    const head = { machine: machine(), commit, at, bun: Bun.version, pairs, scale };
    const all = { ...readResults(file), ...head, ...measured };
    writeFileSync(file, JSON.stringify(all, null, 2) + "\n");
  }
  console.log(`written to ${file}`);
  return 0;
}

function readResults(file: string): object {
  if (!existsSync(file)) return {};
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof parsed === "object" && parsed !== null ? parsed : {};
}

process.exit(await main());
