/**
 * Breaks the code on purpose, one line at a time, and wants the simulator to notice:
 * `bun tests/sim/mutants.ts [NAME]`. Each mutant is a copy of the sources with one piece of text
 * replaced. Exit codes: 0 all were caught, 1 one was not, or its text is not there any more.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Mutant {
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly world: string;
  readonly seeds: number;
}

const LEADER = "cluster/replication/leader-replicas.ts";
const CHANGE = "cluster/controller/partition-change.ts";
const DIVERGENCE = "cluster/replication/divergence.ts";
const replication = { world: "replication", seeds: 10_000 };
/** Whole brokers: what is broken between the parts. */
const cluster = { world: "cluster", seeds: 100 };

/** What has to be noticed, by name. */
const MUTANTS: Readonly<Record<string, Mutant>> = {
  "removal-counted-early": {
    ...replication,
    breaks: "a member of the ISR is not waited for once its removal is proposed",
    file: LEADER,
    find: "return this.#committed.isr.includes(id) ||",
    replace: "return (this.#proposed === null && this.#committed.isr.includes(id)) ||",
  },
  "isr-counted-too-soon": {
    ...replication,
    breaks: "a proposed member of the ISR is not waited for until it is one",
    file: LEADER,
    find: "(this.#proposed?.isr.some(({ brokerId }) => brokerId === id) ?? false)",
    replace: "false",
  },
  "early-high-watermark": {
    ...replication,
    breaks: "the leader counts what it has not synced",
    file: LEADER,
    find: "let least = this.#durableEnd;",
    replace: "let least = this.#logEnd;",
  },
  "joins-behind": {
    ...replication,
    breaks: "a follower joins the ISR below the high watermark",
    file: LEADER,
    find: "follower.endOffset >= Math.max(this.#highWatermark, this.#epochStartOffset)",
    replace: "follower.endOffset >= 0",
  },
  "joins-before-the-epoch": {
    ...replication,
    breaks: "a follower joins the ISR without what the leader had at its election",
    file: LEADER,
    find: "Math.max(this.#highWatermark, this.#epochStartOffset)",
    replace: "this.#highWatermark",
  },
  "skipped-fence": {
    ...replication,
    breaks:
      "the controller takes a broker into the ISR for the one that it was before it restarted",
    file: "tests/sim/replication-sim.ts",
    find: "brokerEpoch === this.#brokers[brokerId]?.epoch",
    replace: "true",
  },
  "refused-and-forgotten": {
    ...replication,
    breaks: "a copy of a refused proposal is accepted later",
    file: CHANGE,
    find: "return { ...before, partitionEpoch: before.partitionEpoch + 1 };",
    replace: "return before;",
  },
  "unclean-stays-eligible": {
    ...replication,
    breaks: "a broker that has lost something stays in the ELR",
    file: CHANGE,
    find: "!isr.includes(id) && !unclean.includes(id)",
    replace: "!isr.includes(id)",
  },
  "everybody-eligible": {
    ...replication,
    breaks: "who leaves an ISR that is large enough stays eligible",
    file: CHANGE,
    find: "const elr = isEnough(isr) ? [] : candidates;",
    replace: "const elr = candidates;",
  },
  "watermark-below-min-isr": {
    ...replication,
    breaks: "the high watermark moves while the ISR is too small",
    file: LEADER,
    find: "if (this.#committed.isr.length < minInsync) return false;",
    replace: "",
  },
  "eligible-beside-a-whole-isr": {
    ...replication,
    breaks: "the ELR stays when a leader out of it makes the ISR large enough",
    file: CHANGE,
    find: "isEnough(led.isr) ? { ...led, elr: [] } : led",
    replace: "led",
  },
  "no-truncation": {
    ...replication,
    breaks: "a follower keeps what its leader never had",
    file: DIVERGENCE,
    find: "return isOther ? end : null;",
    replace: "return null;",
  },
  "cluster-silent-broker-stays": {
    ...cluster,
    breaks: "a broker that is not heard of for a session is not fenced",
    file: "broker/cluster/broker-control.ts",
    find: 'new BrokerSessions(config.get("broker.session.timeout.ms"))',
    replace: "new BrokerSessions(1e9)",
  },
  "cluster-early-high-watermark": {
    ...cluster,
    breaks: "the high watermark does not wait for followers",
    file: LEADER,
    find: "if (counts) least = follower.endOffset;",
    replace: "",
  },
  "cluster-holes-stay": {
    ...cluster,
    breaks: "a replica that recovers goes on behind a hole",
    file: "broker/foundation.ts",
    find: "cutsDamage: true",
    replace: "cutsDamage: false",
  },
};

const ROOT = join(import.meta.dir, "../..");
const FOLDERS = ["broker", "client", "cluster", "core", "storage", "testing", "tests/sim"];
/** The simulator's exit codes for a promise broken, and for work that does not go on. */
const CAUGHT = [10, 11, 12];

function caught({ file, find, replace, world, seeds }: Mutant): string | null {
  const root = mkdtempSync(join(tmpdir(), "kstream-mutant-"));
  try {
    for (const folder of FOLDERS) {
      cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
    }
    cpSync(join(ROOT, "deno.json"), join(root, "deno.json"));
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    const path = join(root, file);
    const text = readFileSync(path, "utf8");
    if (text.split(find).length !== 2) return `${file} has not once: ${find}`;
    writeFileSync(path, text.replace(find, () => replace));
    const args = ["tests/sim/main.ts", "--world", world, "--seeds", String(seeds)];
    const run = Bun.spawnSync([process.execPath, ...args], { cwd: root, stdout: "pipe" });
    return CAUGHT.includes(run.exitCode) ? null : `not noticed: exit code ${run.exitCode}`;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const only = process.argv[2];
let failures = 0;
for (const [name, mutant] of Object.entries(MUTANTS)) {
  if (only !== undefined && only !== name) continue;
  const startedMs = performance.now();
  const why = caught(mutant);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `${why === null ? "caught" : "FAILED"} ${name}: ${mutant.breaks} (${why ?? `${seconds} s`})`,
  );
  if (why !== null) failures++;
}
process.exit(failures === 0 ? 0 : 1);
