/**
 * Runs a simulator: `bun tests/sim/main.ts [--world storage|cleaner|transactions|groups|share|replication|metadata|gossip|cluster] [--seeds N] [--from N] [--seed N]`.
 *
 * Exit codes: 0 all is well, 1 usage, 10 the engine crashed, 11 it broke a promise, 12 it did not
 * come back to work. On a failure the options of the run are printed, and last the command that
 * runs it again.
 */
import { createLogger, type Logger, silentLogger } from "../../core/logger.ts";
import { CleanerSim } from "./cleaner-sim.ts";
import { ClusterSim } from "./cluster-sim.ts";
import { GossipSim } from "./gossip-sim.ts";
import { GroupSim } from "./group-sim.ts";
import { MetadataSim } from "./metadata-sim.ts";
import { ReplicationSim } from "./replication-sim.ts";
import { ShareSim } from "./share-sim.ts";
import { StuckError } from "./sim-clock.ts";
import { StorageSim } from "./storage-sim.ts";
import { TransactionSim } from "./transaction-sim.ts";
import { LivenessError, Violation } from "./violation.ts";

const EXIT = { crash: 10, correctness: 11, liveness: 12 } as const;
const TRACE_LINES = 60;

type Kind = keyof typeof EXIT;

function kindOf(error: unknown): Kind {
  if (error instanceof Violation) return "correctness";
  return error instanceof LivenessError || error instanceof StuckError ? "liveness" : "crash";
}

/** What can be run from a seed. */
interface Simulation {
  readonly options: unknown;
  readonly trace: string[];
  run(): void;
}

const WORLDS: Readonly<Record<string, (seed: number, logger: Logger) => Simulation>> = {
  storage: (seed, logger) => new StorageSim(seed, logger),
  cleaner: (seed, logger) => new CleanerSim(seed, logger),
  transactions: (seed, logger) => new TransactionSim(seed, logger),
  gossip: (seed, logger) => new GossipSim(seed, logger),
  groups: (seed, logger) => new GroupSim(seed, logger),
  share: (seed, logger) => new ShareSim(seed, logger),
  replication: (seed, logger) => new ReplicationSim(seed, logger),
  metadata: (seed, logger) => new MetadataSim(seed, logger),
  cluster: (seed, logger) => new ClusterSim(seed, logger),
};

function runSeed(seed: number, verbose: boolean): Kind | null {
  const logger = verbose
    ? createLogger({
      level: "debug",
      format: "text",
      wallMs: () => 0,
      write: (line) => sim?.trace.push(line),
    })
    : silentLogger;
  let sim: Simulation | null = null;
  try {
    sim = makeWorld(seed, logger);
    sim.run();
    return null;
  } catch (error) {
    const kind = kindOf(error);
    console.log(sim?.trace.slice(verbose ? 0 : -TRACE_LINES).join("\n"));
    console.log(JSON.stringify(sim?.options));
    console.log(`seed ${seed}: ${kind}: ${error instanceof Error ? error.stack : String(error)}`);
    console.log(`bun tests/sim/main.ts --world ${world} --seed ${seed}`);
    return kind;
  }
}

function numberOf(name: string): number | null {
  const at = process.argv.indexOf(name);
  if (at < 0) return null;
  const value = Number(process.argv[at + 1]);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`${name} needs a number`);
  process.exit(1);
}

function worldOf(name: string): (seed: number, logger: Logger) => Simulation {
  const make = WORLDS[name];
  if (make !== undefined) return make;
  console.error(`--world is one of ${Object.keys(WORLDS).join(", ")}`);
  process.exit(1);
}

const worldAt = process.argv.indexOf("--world");
const world = worldAt < 0 ? "storage" : process.argv[worldAt + 1] ?? "";
const makeWorld = worldOf(world);
const single = numberOf("--seed");
const first = single ?? numberOf("--from") ?? 1;
const count = single === null ? numberOf("--seeds") ?? 500 : 1;
for (let seed = first; seed < first + count; seed++) {
  const kind = runSeed(seed, single !== null);
  if (kind !== null) process.exit(EXIT[kind]);
}
console.log(`${count} seeds from ${first}: all is well`);
process.exit(0);
