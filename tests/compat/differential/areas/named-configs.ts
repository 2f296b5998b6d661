/** Configs of what need not exist: groups and subscriptions of client metrics (KIP-714, KIP-848). */
import { describeConfigs } from "../../../../core/protocol/32-describe-configs.ts";
import { alterConfigs } from "../../../../core/protocol/33-alter-configs.ts";
import { incrementalAlterConfigs } from "../../../../core/protocol/44-incremental-alter-configs.ts";
import { listConfigResources } from "../../../../core/protocol/74-list-config-resources.ts";
import { knownConfigs, oddValue } from "../config-values.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const CLIENT_METRICS = 16;
const GROUP = 32;

const GROUP_CONFIGS = knownConfigs("group").map(({ name }) => name);
/** Such as are valid, and such as are not. */
const METRICS_CONFIGS: Readonly<Record<string, readonly string[]>> = {
  metrics: ["", "*", "org.apache.kafka.producer.,org.apache.kafka.consumer.", "a", " a , b "],
  "interval.ms": ["100", "5000", "99", "3600000", "3600001", "-1", "soon", ""],
  match: [
    "client_id=a.*",
    "client_id=a,client_source_port=9092",
    "client_id=(",
    "nonsense=a",
    "client_id",
    "",
  ],
};

interface Resource {
  readonly type: number;
  readonly name: string;
}

const resource = ({ random }: Draw): Resource => ({
  type: random.pick([GROUP, CLIENT_METRICS]),
  name: random.pick(["x", "x", "x", "x", "y", ""]),
});

function setting({ random }: Draw, { type }: Resource) {
  const odd = random.chance(6) ? random.pick(["no.such.config", "", "retention.ms"]) : null;
  if (type === GROUP) {
    const name = odd ?? random.pick(GROUP_CONFIGS);
    return { name, value: oddValue(random, "group", name) };
  }
  const name = odd ?? random.pick(Object.keys(METRICS_CONFIGS));
  return { name, value: random.pick([...METRICS_CONFIGS[name] ?? ["1"], null]) };
}

const named = (facts: Facts, { type, name }: Resource) => ({
  resourceType: type,
  resourceName: facts.name(name),
});

function alter(draw: Draw): Step {
  const { random } = draw;
  const target = resource(draw);
  const validateOnly = random.chance(20);
  const configs = Array.from({ length: random.pick([1, 1, 1, 2, 0]) }, () => setting(draw, target));
  if (random.chance(25)) {
    return step(alterConfigs, (facts) => ({
      resources: [{ ...named(facts, target), configs }],
      validateOnly,
    }), { version: draw.version(alterConfigs), changesMetadata: true });
  }
  const operations = configs.map(() => random.pick([0, 0, 0, 0, 1, 2, 3]));
  return step(incrementalAlterConfigs, (facts) => ({
    resources: [{
      ...named(facts, target),
      configs: configs.map((each, at) => ({ ...each, configOperation: operations[at] ?? 0 })),
    }],
    validateOnly,
  }), { version: draw.version(incrementalAlterConfigs), changesMetadata: true });
}

function look(draw: Draw): Step {
  const { random } = draw;
  if (random.chance(15)) {
    // Groups not: some values that Kafka has taken (` 7 `) do not make it list the group.
    return step(listConfigResources, () => ({ resourceTypes: [CLIENT_METRICS] }), {
      version: draw.version(listConfigResources, 1),
    });
  }
  const target = resource(draw);
  const keys = random.chance(60) ? null : [setting(draw, target).name, setting(draw, target).name];
  const includeSynonyms = random.chance(60);
  return step(describeConfigs, (facts) => ({
    resources: [{ ...named(facts, target), configurationKeys: keys }],
    includeSynonyms,
    includeDocumentation: false,
  }), { version: draw.version(describeConfigs) });
}

export const namedConfigs: Area = {
  name: "named-configs",
  needs: [describeConfigs, incrementalAlterConfigs, listConfigResources],
  setUp: () => [],
  next: (draw) => [draw.random.chance(55) ? alter(draw) : look(draw)],
  // One by one: a refused one must not keep the others.
  cleanUp: (draw) =>
    ["x", "y"].flatMap((name) =>
      [
        ...GROUP_CONFIGS.map((config) => ({ type: GROUP, config })),
        ...Object.keys(METRICS_CONFIGS).map((config) => ({ type: CLIENT_METRICS, config })),
      ].map(({ type, config }) =>
        step(incrementalAlterConfigs, (facts) => ({
          resources: [{
            ...named(facts, { type, name }),
            configs: [{ name: config, configOperation: 1, value: null }],
          }],
        }), { version: draw.lastVersion(incrementalAlterConfigs) })
      )
    ),
};
