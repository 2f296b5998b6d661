/** Many threads that come, go, crash and lose answers, over a log that fails and restarts. */
import { expect, test } from "bun:test";
import { Errors } from "../../../../core/errors.ts";
import { SeededRandom } from "../../coordinator.test-helper.ts";
import { GROUP, type GroupHarness } from "../group.test-helper.ts";
import { SimThread, streamsHarness, untilStable } from "./streams.test-helper.ts";

const THREADS = 12;
const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 20);

/** All that a restart must keep. */
function snapshot(groups: GroupHarness) {
  const outcome = groups.runtime.now(0, (shard) => ({
    records: shard.stateOf(GROUP),
    listing: shard.list(),
  }));
  if (!outcome.ok) throw new Error("no shard");
  return outcome.value;
}

/** No task is active twice, and no process has one twice; what is lost with a process is not counted. */
function checkOwners(threads: readonly SimThread[], seed: number): void {
  const active = threads.flatMap((thread) => thread.active);
  const onProcess = threads.flatMap((thread) =>
    [...thread.active, ...thread.standby].map((task) => `${thread.processId} ${task}`)
  );
  for (const tasks of [active, onProcess]) {
    expect({ seed, twice: tasks.length - new Set(tasks).size }).toEqual({ seed, twice: 0 });
  }
}

/** A world of one seed. */
class Churn {
  readonly random: SeededRandom;
  threads: SimThread[] = [];
  standbys = 1;
  #started = 0;

  constructor(readonly groups: GroupHarness, readonly seed: number) {
    this.random = new SeededRandom(seed * 7919);
  }

  async step(): Promise<void> {
    const { groups, random, threads } = this;
    switch (random.below(12)) {
      case 0:
      case 1:
        if (threads.length < THREADS) threads.push(this.#newThread());
        break;
      case 2:
        await this.#remove((thread) => thread.leave());
        break;
      case 3:
        // It crashes: nobody hears of it before its session ends.
        await this.#remove(() => Promise.resolve());
        break;
      case 4:
        groups.log.failWith = random.below(3) === 0 ? Errors.KAFKA_STORAGE_ERROR : Errors.NONE;
        break;
      case 5: {
        const before = snapshot(groups);
        await groups.start();
        expect({ seed: this.seed, ...snapshot(groups) }).toEqual({ seed: this.seed, ...before });
        break;
      }
      default:
        await groups.clock.advance(random.below(3) * 500);
        for (const thread of threads) {
          const lost = random.below(10) === 0;
          await thread.beat({ lost, keepsRevoked: random.below(4) === 0 });
        }
    }
  }

  async #remove(how: (thread: SimThread) => Promise<unknown>): Promise<void> {
    const { threads, random } = this;
    if (threads.length === 0) return;
    const [thread] = threads.splice(random.below(threads.length), 1);
    await how(thread!);
  }

  #newThread(): SimThread {
    const { groups, random } = this;
    const processId = `p${random.below(4)}`;
    return new SimThread(groups, `m${this.#started++}`, { processId });
  }
}

test("no task runs twice, a restart changes nothing, and it ends stable", async () => {
  let worst = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const standbys = seed % 3;
    const groups = await streamsHarness(10, { standbyReplicas: () => standbys });
    const churn = new Churn(groups, seed);
    for (let step = 0; step < 150; step++) {
      await churn.step();
      checkOwners(churn.threads, seed);
    }
    groups.log.failWith = Errors.NONE;
    churn.threads.push(new SimThread(groups, "last"));
    // Sessions of those that crashed end; the others beat all the while.
    for (let second = 0; second < 50; second++) {
      await groups.clock.advance(1_000);
      for (const thread of churn.threads) await thread.beat();
    }
    worst = Math.max(worst, await untilStable(groups, churn.threads));
    checkOwners(churn.threads, seed);
    const active = churn.threads.flatMap((thread) => thread.active);
    expect({ seed, active: active.length }).toEqual({ seed, active: 20 });
    const sizes = churn.threads.map((thread) => thread.active.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const processes = new Set(churn.threads.map((thread) => thread.processId)).size;
    const standby = churn.threads.flatMap((thread) => thread.standby);
    expect({ seed, standby: standby.length })
      .toEqual({ seed, standby: 10 * Math.min(standbys, processes - 1) });
    const before = snapshot(groups);
    await groups.start();
    expect({ seed, ...snapshot(groups) }).toEqual({ seed, ...before });
  }
  expect(worst).toBeLessThanOrEqual(6);
}, 60_000 + SEEDS * 1000);
