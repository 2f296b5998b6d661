/**
 * One connector through everything that can happen, with real processes: while records flow, workers
 * and the broker are killed, the system goes away and comes back, is slow, gets what is no record,
 * workers join and leave, the config changes. Then every record is looked for.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import { complaints, Ledger } from "./ledger.ts";
import type { Verdict } from "./ledger.ts";
import { startBroker, Workers } from "./processes.ts";
import type { Broker, BrokerKind } from "./processes.ts";
import { FILLER, textOf } from "./system.ts";
import type { Item, SinkSystem, SourceSystem, SystemKind } from "./system.ts";
import { TopicFeed, TopicReader } from "./topics.ts";
import { away, commitsLost, makeTrouble, processTroubles } from "./troubles.ts";
import type { Trouble } from "./troubles.ts";

const CONNECTOR = "under-test";
/** Of the tasks of a sink. */
const GROUP = `connect-${CONNECTOR}`;
const KEYS = 12;
const PORTION = 20;
const PORTION_EVERY_MS = 50;
/** Of so many portions one has something in it that is no record. */
const BAD_EVERY = 20;
/** How long it may take until all is well, once nothing goes wrong any more. */
const PATIENCE_MS = 60_000;
/** Of what is at most once, so much is given at the end, and so long may it take, before it is given again. */
const CALM_PORTIONS = 20;
const CALM_MS = 10_000;
/** How long it may take between two troubles. */
const WORKS_MS = 20_000;

const SINK_TOPIC = "to-sink";
const SINK_PARTITIONS = 3;
const SOURCE_TOPIC = "of-source";
const DEAD_LETTERS = "dead-letters";

export interface ScenarioOptions {
  readonly seed: number;
  /** Of trouble. */
  readonly seconds: number;
  readonly broker: BrokerKind;
  /** Hears what is done. */
  readonly tell: (what: string) => void;
}

/** What has come of it. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly complaints: readonly string[];
  /** How often each kind of trouble was made. */
  readonly troubles: ReadonlyMap<string, number>;
  readonly deadLetters: number;
  readonly bad: number;
  readonly log: string;
}

/** Runs it once. Throws where something does not come to be in time. */
export async function runScenario(
  kind: SystemKind,
  options: ScenarioOptions,
): Promise<Outcome> {
  const folder = freshDir("kit");
  const ends: (() => Promise<void> | void)[] = [];
  try {
    const systemFolder = join(folder, "system");
    mkdirSync(systemFolder);
    const system = await kind.open({ folder: systemFolder });
    ends.push(() => system.close());
    const sourceTopic = system.kind === "source" ? system.topic ?? SOURCE_TOPIC : SOURCE_TOPIC;
    const topics = [`${SINK_TOPIC}:${SINK_PARTITIONS}`, `${sourceTopic}:1`, `${DEAD_LETTERS}:1`];
    const broker = await startBroker(folder, topics, options.broker);
    ends.push(() => broker.end());
    const flow: Flow = system.kind === "source"
      ? new SourceFlow(system, broker.bootstrap)
      : new SinkFlow(system, broker.bootstrap);
    ends.push(() => flow.close());
    const isTransactional = system.kind === "source" && system.claim === "exactly-once";
    const workers = new Workers(broker.bootstrap, isTransactional);
    ends.push(() => workers.kill());
    const random = new SimRandom(options.seed);
    const scenario = new Scenario(system, broker, workers, flow, random, options.tell);
    return await scenario.run(options.seconds);
  } finally {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How records get in and are found again, on either side of the connector. */
interface Flow {
  readonly config: Readonly<Record<string, string>>;
  feed(items: readonly Item[]): Promise<void>;
  readonly feedBad: (() => Promise<void>) | null;
  /** Feeds what has the last records come, if they need that. */
  finish(): Promise<void>;
  /** Whether something comes within a moment. */
  comes(): Promise<boolean>;
  /** All that has come so far. */
  found(): Promise<readonly Item[]>;
  deadLetters(): Promise<number>;
  close(): Promise<void>;
}

class SourceFlow implements Flow {
  readonly #reader: TopicReader;

  constructor(readonly system: SourceSystem, bootstrap: string) {
    this.#reader = new TopicReader(bootstrap, system.topic ?? SOURCE_TOPIC, 1);
  }

  get config(): Readonly<Record<string, string>> {
    const support = this.system.claim === "exactly-once" ? "required" : "requested";
    return {
      ...this.system.topic === undefined ? { topic: SOURCE_TOPIC } : {},
      "exactly.once.support": support,
    };
  }

  feed(items: readonly Item[]): Promise<void> {
    return this.system.feed(items);
  }

  get feedBad() {
    return this.system.feedBad;
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  comes(): Promise<boolean> {
    return this.#reader.readMore();
  }

  async found(): Promise<readonly Item[]> {
    return this.system.itemsOf(await this.#reader.readOn());
  }

  deadLetters(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

class SinkFlow implements Flow {
  readonly #feed: TopicFeed;
  readonly #dead: TopicReader;

  constructor(readonly system: SinkSystem, bootstrap: string) {
    this.#feed = new TopicFeed(bootstrap, SINK_TOPIC);
    this.#dead = new TopicReader(bootstrap, DEAD_LETTERS, 1);
  }

  get config() {
    return {
      topics: SINK_TOPIC,
      "key.converter": "string",
      "tasks.max": "2",
      "errors.retry.delay.max.ms": "1000",
      "errors.deadletterqueue.topic.name": DEAD_LETTERS,
      "errors.deadletterqueue.topic.replication.factor": "1",
      // As the workers' own, so that who is killed is not waited for longer.
      "consumer.override.session.timeout.ms": "3000",
    };
  }

  feed(items: readonly Item[]): Promise<void> {
    return this.#feed.send(items.map((item) => ({ key: item.key, value: textOf(item) })));
  }

  readonly feedBad = () => this.#feed.send([{ key: "bad", value: "{no JSON" }]);

  async finish(): Promise<void> {
    const value = textOf({ key: FILLER, n: 0 });
    for (let partition = 0; partition < SINK_PARTITIONS; partition++) {
      const fillers = Array.from({ length: this.system.fillers ?? 0 }, () => {
        return { key: FILLER, value, partition };
      });
      await this.#feed.send(fillers);
    }
  }

  async comes(): Promise<boolean> {
    const before = (await this.system.read()).length;
    await Bun.sleep(500);
    return (await this.system.read()).length > before;
  }

  found(): Promise<readonly Item[]> {
    return this.system.read();
  }

  async deadLetters(): Promise<number> {
    return (await this.#dead.readOn()).length;
  }

  async close(): Promise<void> {
    await this.#feed.close();
    await this.#dead.close();
  }
}

class Scenario {
  readonly #ledger = new Ledger();
  #isOver = false;
  #bad = 0;
  #isOtherConfig = false;

  constructor(
    readonly system: SourceSystem | SinkSystem,
    readonly broker: Broker,
    readonly workers: Workers,
    readonly flow: Flow,
    readonly random: SimRandom,
    readonly tell: (what: string) => void,
  ) {}

  async run(seconds: number): Promise<Outcome> {
    await this.workers.add();
    await this.#configure();
    const feeding = this.#feed();
    feeding.catch(() => {});
    const troubles = await makeTrouble(
      this.#kinds(),
      this.random,
      seconds * 1000,
      this.tell,
      () => this.#works(),
    );
    this.#isOver = true;
    this.tell("all trouble is over");
    await within(feeding, "everything to be fed");
    if (this.system.claim === "at-most-once") await this.#untilNoneIsLost();
    await within(this.flow.finish(), "everything to be fed");
    const verdict = await this.#settled(PATIENCE_MS);
    const deadLetters = await this.flow.deadLetters();
    this.tell("all has come");
    const log = await this.workers.close();
    const { claim, isOrdered = true } = this.system;
    const wrong = complaints(verdict, claim, isOrdered);
    if (this.system.kind === "sink" && deadLetters < this.#bad) {
      wrong.push(`${this.#bad - deadLetters} of ${this.#bad} bad records are no dead letters`);
    }
    return {
      verdict,
      complaints: wrong,
      troubles,
      deadLetters,
      bad: this.#bad,
      log,
    };
  }

  async #configure(): Promise<void> {
    const { config, otherConfig } = this.system;
    const whole = {
      ...this.flow.config,
      ...config,
      ...this.#isOtherConfig ? otherConfig : {},
    };
    const path = `/connectors/${CONNECTOR}/config`;
    const deadline = performance.now() + PATIENCE_MS;
    while (await this.workers.ask("PUT", path, whole) === undefined) {
      if (performance.now() > deadline) {
        throw new Error(`the connector cannot be configured: ${this.workers.refusal}`);
      }
      await Bun.sleep(100);
    }
  }

  async #feed(): Promise<void> {
    for (let portion = 1; !this.#isOver; portion++) {
      await this.#feedPortion();
      const { feedBad } = this.flow;
      if (feedBad !== null && portion % BAD_EVERY === 0) {
        await feedBad();
        this.#bad++;
      }
      await Bun.sleep(PORTION_EVERY_MS);
    }
  }

  async #feedPortion(): Promise<void> {
    const items = Array.from(
      { length: PORTION },
      () => this.#ledger.next(`k${this.random.below(KEYS)}`),
    );
    await this.flow.feed(items);
  }

  /** Of some portions all comes, as nothing goes wrong any more; what was before may be lost. */
  async #untilNoneIsLost(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let isWhole = false; !isWhole && performance.now() < deadline;) {
      this.#ledger.excuse();
      for (let portion = 0; portion < CALM_PORTIONS; portion++) await this.#feedPortion();
      isWhole = (await this.#settled(CALM_MS)).lost.length === 0;
    }
  }

  /** What is fed now comes. It says so where it does not for long, and goes on. */
  async #works(): Promise<void> {
    const deadline = performance.now() + WORKS_MS;
    // What was on its way before does not count.
    for (let times = 0; times < 2;) {
      if (await this.flow.comes()) times++;
      if (performance.now() > deadline) return this.tell("nothing has come for long");
    }
  }

  #kinds(): Trouble[] {
    const { workers, broker, random, system } = this;
    const { outage, setSlow } = system;
    const slow = {
      down: () => Promise.resolve(setSlow?.(true)),
      up: () => Promise.resolve(setSlow?.(false)),
    };
    return [
      ...processTroubles(workers, broker, random),
      {
        name: "config changed",
        make: async () => {
          this.#isOtherConfig = !this.#isOtherConfig;
          await this.#configure();
        },
      },
      ...system.kind === "sink" ? [commitsLost(workers, broker.bootstrap, GROUP, random)] : [],
      ...outage === null ? [] : [away("system away", outage, random)],
      ...setSlow === null ? [] : [away("system slow", slow, random)],
    ];
  }

  /** When nothing is missing any more, or nothing more comes. */
  async #settled(patienceMs: number): Promise<Verdict> {
    let verdict = this.#ledger.judge(await this.flow.found());
    const deadline = performance.now() + patienceMs;
    while (verdict.lost.length > 0 && performance.now() < deadline) {
      this.tell(`${verdict.lost.length} of ${verdict.given} have not come yet`);
      await Bun.sleep(500);
      verdict = this.#ledger.judge(await this.flow.found());
    }
    // What is written a second time comes later.
    await Bun.sleep(2000);
    return this.#ledger.judge(await this.flow.found());
  }
}

async function within(work: Promise<void>, what: string): Promise<void> {
  const late = Bun.sleep(PATIENCE_MS).then(() => "late" as const);
  if (await Promise.race([work, late]) === "late") throw new Error(`waited in vain for ${what}`);
}
