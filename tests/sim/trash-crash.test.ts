/**
 * Topics that are deleted and restored on a disk that loses what was not synced: the process ends
 * at any moment, and the topic is then there or in the trash, with all of its records either way.
 */
import { expect, test } from "bun:test";
import { silentLogger } from "../../core/logger.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import type { Partition } from "../../broker/partition.ts";
import { BrokerWorld, CrashedError } from "./broker-world.ts";
import { SimRandom } from "./sim-random.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 40);
const ROUNDS = 8;
const RECORDS = 20;
const START = 5;

const TOPIC = {
  name: "t",
  numPartitions: 2,
  replicationFactor: 1,
  assignments: [],
  configs: [{ name: "retention.ms", value: "-1" }],
};

class Run {
  readonly world: BrokerWorld;

  constructor(readonly random: SimRandom) {
    this.world = new BrokerWorld(random, silentLogger);
    this.world.disk.faults.maxLatencyMs = 5;
    this.world.start();
    this.world.createTopics([TOPIC]);
    for (let i = 0; i < RECORDS; i++) {
      const builder = new BatchBuilder({ baseOffset: 0 });
      builder.append(this.world.clock.wallMs(), null, new Uint8Array(300).fill(i));
      const appended = this.partition("t", 0).append(builder.build(), "client");
      if (!appended.ok) throw new Error(appended.message);
    }
    this.world.advance(1000);
    expect(this.partition("t", 0).deleteRecordsBefore(START)).toBe(0);
    // Until the checkpoint is written a power cut may bring them back.
    this.world.advance(120_000);
  }

  partition(topic: string, index: number): Partition {
    const found = this.world.services.partitions.find(topic, index);
    if (typeof found === "number") throw new Error(`no partition ${topic}-${index}: ${found}`);
    return found;
  }

  /** Does it, perhaps only in part: then the process is started anew. */
  interrupted(action: () => Promise<unknown>): void {
    const { world, random } = this;
    const how = random.below(4);
    if (how === 0) return void world.ask(action());
    if (how === 1) world.disk.crashAtWrite(1 + random.below(12));
    try {
      const done = action();
      done.catch(() => {});
      if (how === 1) world.ask(done);
      else world.advance(random.below(40));
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error;
    }
    world.crash(random.pick(["kill", "nothing", "everything", "prefix", "sectors"] as const));
  }

  /** The name that the topic has now, or null where it is in the trash. */
  whole(): string | null {
    const { metadata, trash } = this.world.services;
    const topics = [...metadata.image.topics.keys()].filter((name) => !name.startsWith("__"));
    const kept = trash.list();
    expect([topics.length + kept.length, topics, kept]).toEqual([1, topics, kept]);
    const name = topics[0];
    if (name === undefined) return null;
    const { log } = this.partition(name, 0);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([START, RECORDS]);
    expect(this.partition(name, 1).log.logEndOffset).toBe(0);
    expect(metadata.image.topics.get(name)?.configs.get("retention.ms")).toBe("-1");
    return name;
  }

  delete(name: string): Promise<unknown> {
    return this.world.services.controller.deleteTopics([{ name, topicId: ZERO_UUID }]);
  }

  restore(name: string): Promise<unknown> {
    const { trash } = this.world.services;
    const [topic] = trash.list();
    if (topic === undefined) throw new Error("nothing is in the trash");
    return trash.restore(topic, name);
  }
}

test("a topic that is deleted and restored is never lost, and never there twice", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SimRandom(seed);
    const run = new Run(random);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const name = run.whole();
        if (name !== null) run.interrupted(() => run.delete(name));
        else run.interrupted(() => run.restore(random.pick(["t", "u"] as const)));
      }
      const last = run.whole();
      if (last === null) run.world.ask(run.restore("t"));
      run.whole();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}, 120_000);
