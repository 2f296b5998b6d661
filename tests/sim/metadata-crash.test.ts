/**
 * The controller on a disk that loses what was not synced: the power goes at any moment, and what
 * is found afterwards is the state after some number of changes, none of them half, and at least as
 * many as were answered.
 */
import { expect, test } from "bun:test";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import {
  LocalMetadataLog,
  METADATA_LOG_CONFIG,
  METADATA_LOG_ID,
} from "../../cluster/local-metadata-log.ts";
import type { MetadataImage } from "../../cluster/metadata-image.ts";
import { silentLogger } from "../../core/logger.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { Controller } from "../../broker/controller.ts";
import { MetadataCache } from "../../broker/metadata-cache.ts";
import type { Outcome } from "../../broker/outcome.ts";
import { ConfigResourceTypes } from "../../broker/plan-configs.ts";
import { DataDir } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG } from "../../storage/log-config.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";

const SEEDS = 15;
const CRASHES = 4;
const CHANGES_MAX = 12;
const LIMIT_MS = 60_000;

interface ModelTopic {
  readonly partitions: number;
  readonly retention: string;
}
type Model = ReadonlyMap<string, ModelTopic>;

const facts = (model: Model) => JSON.stringify([...model].toSorted());

function modelOf(image: MetadataImage): Model {
  return new Map([...image.topics].map(([name, topic]) => [name, {
    partitions: topic.partitions.length,
    retention: topic.configs.get("retention.ms") ?? "",
  }]));
}

class Run {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly disk: FaultyDisk;
  #names = 0;

  constructor(seed: number) {
    this.random = new SimRandom(seed);
    this.disk = new FaultyDisk(this.clock, this.random);
    this.disk.faults.maxLatencyMs = 5;
  }

  async open(): Promise<{ metadata: MetadataCache; controller: Controller }> {
    const { clock, random, disk } = this;
    const offload = inlineOffload();
    const dir = await DataDir.open({ clock, random, disk, offload }, silentLogger, {
      path: "/data",
      nodeId: 1,
      logConfig: () => DEFAULT_LOG_CONFIG,
      codecs: {},
    });
    const metadata = new MetadataCache(BrokerConfig.of(), 1);
    // Small segments, so that a snapshot makes some of them go.
    const config = { ...METADATA_LOG_CONFIG, segmentBytes: 2 * 1024 * 1024 };
    const partition = dir.getOrCreate(METADATA_LOG_ID, config);
    const log = new LocalMetadataLog(clock, disk, partition, `/data/${partition.name}`);
    const logger = silentLogger;
    const controller = await Controller.open({ clock, random, logger, log, metadata }, null);
    return { metadata, controller };
  }

  /** Asks for one change; gives the state after it. */
  change(controller: Controller, before: Model): [Model, Promise<Outcome<unknown>[]>] {
    const after = new Map(before);
    const name = this.random.pick([...before.keys(), ""]);
    const known = before.get(name);
    const retention = String(this.random.below(1000));
    if (known === undefined) {
      const fresh = `topic-${this.#names++}`;
      // A few large ones, so that snapshots are written too.
      const partitions = this.random.chance(30) ? 5000 : this.random.between(1, 20);
      after.set(fresh, { partitions, retention });
      return [
        after,
        controller.createTopics([{
          name: fresh,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: "retention.ms", value: retention }],
        }]),
      ];
    }
    if (this.random.chance(50)) {
      after.delete(name);
      return [after, controller.deleteTopics([{ name, topicId: ZERO_UUID }])];
    }
    after.set(name, { ...known, retention });
    return [
      after,
      controller.alterConfigs([{
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: name,
        replace: false,
        operations: [{ name: "retention.ms", operation: "set", value: retention }],
      }]),
    ];
  }

  /** Starts, checks what is there, asks for changes and cuts the power. Gives what may be there. */
  round(allowed: readonly Model[]): Model[] {
    const { metadata, controller } = this.clock.run(this.open(), LIMIT_MS);
    const found = modelOf(metadata.image);
    expect(allowed.map(facts)).toContain(facts(found));
    let answered = 0;
    const states: Model[] = [found];
    for (let count = this.random.below(CHANGES_MAX); count >= 0; count--) {
      const [after, outcome] = this.change(controller, states.at(-1) ?? found);
      const index = states.push(after) - 1;
      void outcome.then((outcomes) => {
        if (outcomes.every(({ ok }) => ok)) answered = Math.max(answered, index);
      });
      this.clock.advance(this.random.below(8));
    }
    this.clock.advance(this.random.below(20));
    this.disk.cutPower(this.random.pick(["nothing", "everything", "prefix", "sectors"]));
    this.clock.dropTimers();
    return states.slice(answered);
  }
}

test(`${SEEDS} runs of ${CRASHES} power cuts leave the metadata whole`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed);
    let allowed: Model[] = [new Map()];
    try {
      for (let crash = 0; crash <= CRASHES; crash++) allowed = run.round(allowed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error).slice(0, 2000)}`, { cause: error });
    }
  }
}, 60_000);
