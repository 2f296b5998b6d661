/**
 * `bun bench/run.ts [--pairs 5] [--scale 1] [--only REGEX] [PART…]`: measures and writes
 * `bench/results/DATE-COMMIT.json`. Parts: throughput, fsync, startup, commands,
 * transactions, replication, shards, many, clients.
 */
import { needEtcd, needKafka, needKcat } from "../tests/compat/install.ts";
import { freshDir } from "../tests/harness/broker-process.ts";
import { optionAfter } from "../tests/harness/flags.ts";
import { clients } from "./clients.ts";
import { commands } from "./commands.ts";
import { fsyncFigures } from "./fsync.ts";
import { warmMemory } from "./measure.ts";
import { replication } from "./replication.ts";
import { Results } from "./results.ts";
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
  const results = await Results.ofNow();
  for (const [name, part] of Object.entries(parts)) {
    if (named.length > 0 && !named.includes(name)) continue;
    console.log(`── ${name}`);
    results.add({ pairs, scale, [name]: await part() });
  }
  console.log(`written to ${results.file}`);
  return 0;
}

process.exit(await main());
