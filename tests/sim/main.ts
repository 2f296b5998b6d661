/**
 * Runs a simulator: `bun tests/sim/main.ts [--world storage|cleaner|transactions|groups|share|replication|metadata|gossip|cluster] [--seeds N] [--from N] [--seed N]`,
 * or `… --forever [--world W]`: one world after the other from fresh seeds, until something is found.
 * `--world cluster --faults strand,reset [--durability os]` has short runs with these faults alone.
 *
 * Exit codes: 0 all is well, 1 usage, 10 the engine crashed, 11 it broke a promise, 12 it did not
 * come back to work. On a failure the options of the run are printed, and last the command that
 * runs it again.
 */
import { createLogger, type Logger, silentLogger } from "../../core/logger.ts";
import { CleanerSim } from "./cleaner-sim.ts";
import { clusterFocus } from "./cluster-options.ts";
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
/** How long a world runs before the next one has its turn. */
const TURN_MS = 20_000;

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
  cluster: (seed, logger) => new ClusterSim(seed, logger, focus),
};

/** What a world is asked for on the command line. */
function worldOf(name: string): string {
  if (WORLDS[name] !== undefined) return name;
  console.error(`--world is one of ${Object.keys(WORLDS).join(", ")}`);
  process.exit(1);
}

function runSeed(world: string, seed: number, verbose: boolean): Kind | null {
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
    sim = WORLDS[world]!(seed, logger);
    sim.run();
    return null;
  } catch (error) {
    const kind = kindOf(error);
    console.log(sim?.trace.slice(verbose ? 0 : -TRACE_LINES).join("\n"));
    console.log(JSON.stringify(sim?.options));
    console.log(`seed ${seed}: ${kind}: ${error instanceof Error ? error.stack : String(error)}`);
    const focused = ["--faults", "--durability"].flatMap((flag) => {
      const value = textOf(flag);
      return value === undefined ? [] : ` ${flag} ${value}`;
    });
    console.log(`bun tests/sim/main.ts --world ${world} --seed ${seed}${focused.join("")}`);
    return kind;
  }
}

/** Seeds of each world in turn, for some seconds each, until one fails. */
function runForever(worlds: readonly string[]): Kind {
  // Others than those of the proofs, and of the last time.
  let seed = Math.floor(Date.now() / 1000) * 1000;
  for (;;) {
    for (const world of worlds) {
      const startedMs = Date.now();
      const first = seed;
      while (Date.now() - startedMs < TURN_MS) {
        const kind = runSeed(world, seed++, false);
        if (kind !== null) return kind;
      }
      console.log(`${world}: ${seed - first} seeds from ${first}: all is well`);
    }
  }
}

function textOf(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1] ?? "";
}

function numberOf(name: string): number | null {
  const text = textOf(name);
  if (text === undefined) return null;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`${name} needs a number`);
  process.exit(1);
}

/** What the cluster is to go through, if that is said. */
function focusOf() {
  try {
    return clusterFocus(textOf("--faults"), textOf("--durability"));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

const focus = focusOf();
const named = textOf("--world");
if (process.argv.includes("--forever")) {
  process.exit(EXIT[runForever(named === undefined ? Object.keys(WORLDS) : [worldOf(named)])]);
}
const world = worldOf(named ?? "storage");
const single = numberOf("--seed");
const first = single ?? numberOf("--from") ?? 1;
const count = single === null ? numberOf("--seeds") ?? 500 : 1;
for (let seed = first; seed < first + count; seed++) {
  const kind = runSeed(world, seed, single !== null);
  if (kind !== null) process.exit(EXIT[kind]);
}
console.log(`${count} seeds from ${first}: all is well`);
process.exit(0);
