/**
 * Workers of a group that come, leave, die, fall silent and lose their connections while connectors are
 * made, changed, paused, stopped and deleted, against a whole broker on virtual time: nothing runs twice
 * at once, and in the end all runs that should, and nothing else. More seeds:
 * `KSTREAM_CHURN_SEEDS=200 bun test connect/herder/group-churn.test.ts`.
 */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { HerderError } from "./errors.ts";
import { GroupScene, SESSION_MS } from "./worker-herder.test-helper.ts";

const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 1);
const FIRST_SEED = Number(process.env["KSTREAM_CHURN_FIRST"] ?? 1);
const WORKERS_MAX = 5;
const CONNECTORS = 6;
const ROUNDS = 25;

class Churn {
  readonly scene: GroupScene;
  readonly done: string[] = [];
  #next = 0;
  #cut: string | null = null;

  constructor(readonly seed: number) {
    this.scene = new GroupScene({ seed, rebalanceMaxDelayMs: seed % 3 === 0 ? 4000 : 0 });
    const { random } = this.scene.world;
    this.scene.stopMs = () => random.below(800);
  }

  async run(): Promise<void> {
    const { world } = this.scene;
    await this.join();
    await this.join();
    for (let round = 0; round < ROUNDS; round++) {
      await this.#step();
      await sleep(world.clock, world.random.below(3000));
    }
    this.#heal();
    await this.settle();
  }

  async join(): Promise<void> {
    const name = `w${this.#next++}`;
    this.done.push(`join ${name}`);
    await this.scene.join(name);
  }

  async #step(): Promise<void> {
    const { random } = this.scene.world;
    const { workers } = this.scene;
    const step = random.below(10);
    if (step < 2 && workers.size < WORKERS_MAX) return await this.join();
    if (step < 4 && workers.size > 1) return await this.#lose(random.pick([...workers.keys()]));
    if (step === 4) return this.#isolate();
    if (step === 5) return this.#heal();
    await this.#change();
  }

  async #lose(name: string): Promise<void> {
    if (this.#cut === name) this.#cut = null;
    if (this.scene.world.random.chance(60)) {
      this.done.push(`kill ${name}`);
      return this.scene.kill(name);
    }
    this.done.push(`leave ${name}`);
    const { herder, io } = this.scene.workers.get(name)!;
    io.network.heal();
    this.scene.workers.delete(name);
    await herder.close();
    this.scene.running.crash(name);
  }

  #isolate(): void {
    const { random } = this.scene.world;
    if (this.#cut !== null) return;
    const { name, io } = random.pick([...this.scene.workers.values()]);
    this.done.push(`cut ${name}`);
    this.#cut = name;
    io.network.isolate();
  }

  #heal(): void {
    if (this.#cut === null) return;
    this.done.push(`heal ${this.#cut}`);
    this.scene.workers.get(this.#cut)?.io.network.heal();
    this.#cut = null;
  }

  /** As somebody does it by REST: it may fail, and then it is as it was, or as it should be. */
  async #change(): Promise<void> {
    const { random, clock } = this.scene.world;
    const name = `c${random.below(CONNECTORS)}`;
    const what = random.below(5);
    this.done.push(`change ${name} ${what}`);
    const change = async () => {
      const { leader } = this.scene;
      if (what < 2) await this.scene.create(name, { tasks: String(1 + random.below(4)) });
      else if (what === 2) await leader.setTarget(name, "PAUSED");
      else if (what === 3) await leader.setTarget(name, random.pick(["STOPPED", "STARTED"]));
      else await leader.delete(name);
    };
    // A leader that is cut off does not answer: nobody waits for that.
    await Promise.race([change().catch(passing), sleep(clock, 2000)]);
  }

  /** All runs that should, where it should, and nothing else. */
  async settle(): Promise<void> {
    const { scene } = this;
    const wanted = () => {
      const { leader } = scene;
      return leader.connectors().flatMap((name) => {
        const tasks = leader.tasks(name).map(({ id }) => `${name}-${id.task}`);
        return [name, ...tasks];
      }).sort();
    };
    await scene.until("one leads, and all are in", () => {
      const members = [...scene.workers.values()];
      return members.filter(({ membership }) => membership.isLeader).length === 1 &&
        members.every(({ membership }) => membership.isStable);
    });
    await scene.until("all runs that should, and nothing else", () => {
      return JSON.stringify([...scene.running.at.keys()].sort()) === JSON.stringify(wanted());
    });
    await sleep(scene.world.clock, 2 * SESSION_MS);
    expect([...scene.running.at.keys()].sort()).toEqual(wanted());
    // One that is paused is asked for its tasks again when it is resumed.
    for (const name of scene.leader.connectors()) {
      if (scene.leader.status(name).connector.state !== "RUNNING") continue;
      const { tasks, config } = scene.leader.info(name);
      expect([name, tasks.length]).toEqual([name, Number(config["tasks"] ?? 1)]);
    }
    const counts = [...scene.workers.keys()].map((name) => scene.counts()[name] ?? [0, 0]);
    for (const kind of [0, 1] as const) {
      const each = counts.map((count) => count[kind]);
      expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1);
    }
  }
}

/** What a caller has to expect of a group that is in disorder. */
function passing(error: unknown): void {
  if (error instanceof HerderError) return;
  if (error instanceof Error && error.message === "there is no leader") return;
  throw error;
}

test("nothing runs twice and nothing is left out, whatever workers and connectors do", () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const churn = new Churn(seed);
    try {
      churn.scene.run(() => churn.run());
      expect(churn.scene.running.trouble).toEqual([]);
    } catch (error) {
      const { trouble } = churn.scene.running;
      const replay = `KSTREAM_CHURN_FIRST=${seed} bun test connect/herder/group-churn.test.ts`;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${replay}\n${churn.done.join("; ")}\n${trouble.join("; ")}\n${why}`, {
        cause: error,
      });
    }
  }
});
