/** Configs of topics and brokers: described and altered, with values that fit and values that do not. */
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { describeConfigs } from "../../../../core/protocol/32-describe-configs.ts";
import { alterConfigs } from "../../../../core/protocol/33-alter-configs.ts";
import { incrementalAlterConfigs } from "../../../../core/protocol/44-incremental-alter-configs.ts";
import { listConfigResources } from "../../../../core/protocol/74-list-config-resources.ts";
import { knownConfigs, oddValue } from "../config-values.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const TOPIC = 2;
const BROKER = 4;
const LOGGER = 8;

/** Dynamic configs of brokers that can be set to anything valid without harm to the test. */
const BROKER_CONFIGS = [
  "log.retention.ms",
  "log.retention.bytes",
  "log.segment.bytes",
  "log.roll.ms",
  "log.cleanup.policy",
  "log.index.interval.bytes",
  "log.cleaner.delete.retention.ms",
  "log.cleaner.min.cleanable.ratio",
  "log.message.timestamp.type",
  "log.message.timestamp.after.max.ms",
  "log.flush.interval.messages",
  "log.preallocate",
  "compression.type",
  "compression.zstd.level",
  "unclean.leader.election.enable",
];
const ODD_BROKER_CONFIGS = [
  "node.id",
  "log.dirs",
  "process.roles",
  "num.partitions",
  "auto.create.topics.enable",
  "group.max.size",
  "offsets.retention.minutes",
];

/** Without those of tiered storage, which are refused here. */
const TOPIC_CONFIGS = knownConfigs("topic").filter(({ name }) => !name.startsWith("remote."));

interface Resource {
  readonly type: number;
  readonly name: string;
}

function resource({ random }: Draw): Resource {
  const kind = random.below(100);
  if (kind < 55) return { type: TOPIC, name: random.pick(["a", "a", "b"]) };
  if (kind < 85) return { type: BROKER, name: random.pick(["=", "=1"]) };
  if (kind < 92) {
    return { type: TOPIC, name: random.pick(["none", "", "=__consumer_offsets", "x y"]) };
  }
  if (kind < 98) return { type: BROKER, name: random.pick(["=2", "=one", "=-1", "=01"]) };
  return { type: random.pick([0, 1, 3, 5, 77]), name: "a" };
}

function configName({ random }: Draw, type: number): string {
  // Unknown configs of brokers Kafka stores, which is known to differ.
  if (type === TOPIC && random.chance(6)) {
    return random.pick(["no.such.config", "", "Retention.ms"]);
  }
  if (type === TOPIC) return random.pick(TOPIC_CONFIGS).name;
  return random.chance(80) ? random.pick(BROKER_CONFIGS) : random.pick(ODD_BROKER_CONFIGS);
}

const valueOf = (draw: Draw, type: number, name: string) =>
  oddValue(draw.random, type === TOPIC ? "topic" : "broker", name);

const named = (facts: Facts, { type, name }: Resource) => ({
  resourceType: type,
  resourceName: facts.name(name),
});

function incremental(draw: Draw): Step {
  const { random } = draw;
  const resources = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => {
    const target = resource(draw);
    const configs = Array.from({ length: random.pick([1, 1, 2, 2, 0]) }, () => {
      const name = configName(draw, target.type);
      const configOperation = random.pick([0, 0, 0, 0, 1, 1, 2, 3]);
      return { name, configOperation, value: valueOf(draw, target.type, name) };
    });
    return { target, configs };
  });
  const validateOnly = random.chance(20);
  return step(incrementalAlterConfigs, (facts) => ({
    resources: resources.map(({ target, configs }) => ({ ...named(facts, target), configs })),
    validateOnly,
  }), { version: draw.version(incrementalAlterConfigs), changesMetadata: true });
}

function replace(draw: Draw): Step {
  const { random } = draw;
  // One only: Kafka never answers a request that names a resource twice.
  const target = resource(draw);
  const drawn = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => {
    const name = configName(draw, target.type);
    return { name, value: valueOf(draw, target.type, name) };
  });
  // Without it the request would take away what Kafka insists on.
  const kept = target.type === BROKER && target.name === "="
    ? [{ name: "min.insync.replicas", value: "1" }]
    : [];
  const resources = [{ target, configs: [...drawn, ...kept] }];
  const validateOnly = random.chance(20);
  return step(alterConfigs, (facts) => ({
    resources: resources.map(({ target, configs }) => ({ ...named(facts, target), configs })),
    validateOnly,
  }), { version: draw.version(alterConfigs), changesMetadata: true });
}

function describe(draw: Draw): Step {
  const { random } = draw;
  const resources = Array.from({ length: random.pick([1, 1, 2]) }, () => {
    const target = random.chance(4) ? { type: LOGGER, name: "=7" } : resource(draw);
    const keys = random.chance(25)
      ? null
      : Array.from({ length: random.below(4) }, () => configName(draw, target.type));
    return { target, keys };
  });
  const includeSynonyms = random.chance(60);
  return step(describeConfigs, (facts) => ({
    resources: resources.map(({ target, keys }) => ({
      ...named(facts, target),
      configurationKeys: keys,
    })),
    includeSynonyms,
    includeDocumentation: false,
  }), { version: draw.version(describeConfigs) });
}

function list(draw: Draw): Step {
  const resourceTypes = draw.random.pick([[], [2], [4], [2, 4], [4, 4], [1], [99], [8]]);
  return step(listConfigResources, () => ({ resourceTypes }), {
    version: draw.version(listConfigResources, 1),
  });
}

export const configs: Area = {
  name: "configs",
  needs: [describeConfigs, alterConfigs, incrementalAlterConfigs],
  setUp: (draw) => [
    step(createTopics, (facts) => ({
      topics: ["a", "b"].map((name) => ({
        name: facts.name(name),
        numPartitions: 1,
        replicationFactor: 1,
        configs: name === "a" ? [] : [{ name: "retention.ms", value: "5000" }],
      })),
      timeoutMs: 10_000,
    }), { version: draw.lastVersion(createTopics), changesMetadata: true }),
  ],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 45) return [incremental(draw)];
    if (kind < 60) return [replace(draw)];
    if (kind < 95) return [describe(draw)];
    return [list(draw)];
  },
  // One by one: a refused one must not keep the others.
  cleanUp: (draw) =>
    ["", "1"].flatMap((resourceName) =>
      BROKER_CONFIGS.map((name) =>
        step(incrementalAlterConfigs, () => ({
          resources: [{
            resourceType: BROKER,
            resourceName,
            configs: [{ name, configOperation: 1, value: null }],
          }],
        }), { version: draw.lastVersion(incrementalAlterConfigs) })
      )
    ),
};
