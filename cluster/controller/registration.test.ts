import { expect, test } from "bun:test";
import { errorName } from "../../core/errors.ts";
import { atOnce } from "../../core/steps.ts";
import { MetadataImage } from "../metadata-image.ts";
import type { BrokerRecord, MetadataRecord, RegisteredState } from "../metadata-records.ts";
import { planElections, planRegistration, planStates, type Registration } from "./registration.ts";

const ID = "abcdefghijklmnopqrstuA";
const policy = { minInsync: () => 2, electsUncleanly: () => false };

function wanted(brokerId: number, more: Partial<Registration> = {}): Registration {
  return {
    brokerId,
    clusterId: "cluster",
    incarnationId: `process of ${brokerId}`,
    rack: null,
    host: `host-${brokerId}`,
    endpoints: [{ name: "PLAINTEXT", host: `10.0.0.${brokerId}`, port: 9092, securityProtocol: 0 }],
    features: [{ name: "share.version", minLevel: 0, maxLevel: 1 }],
    previousEpoch: -1,
    logDirs: [],
    ...more,
  };
}

const broker = (brokerId: number, state: RegisteredState = "active"): BrokerRecord => {
  const { clusterId: _, previousEpoch: __, logDirs: ___, ...registration } = wanted(brokerId);
  return { type: "broker", version: 1, ...registration, epoch: brokerId, state };
};

/** A topic with one partition for each of these. */
const topic = (
  ...partitions: readonly { isr: readonly number[]; leader: number; elr?: readonly number[] }[]
): MetadataRecord[] => [
  { type: "topic", version: 1, name: "t", id: ID },
  ...partitions.map((each, partition): MetadataRecord => ({
    type: "partition",
    version: 1,
    topicId: ID,
    partition,
    replicas: [1, 2, 3],
    leaderEpoch: 5,
    partitionEpoch: 5,
    ...each,
  })),
];

const imageOf = (...records: MetadataRecord[]) => MetadataImage.EMPTY.apply(records, 20).image;

function register(image: MetadataImage, registration: Registration, alive: readonly number[] = []) {
  const outcome = atOnce(planRegistration(image, registration, {
    ...policy,
    clusterId: "cluster",
    isHeard: (id) => alive.includes(id),
    firstFeatures: [{ type: "feature", version: 1, name: "share.version", level: 1 }],
  }));
  if (!outcome.ok) return `${errorName(outcome.error)}: ${outcome.message}`;
  return { after: image.apply(outcome.records, 30).image, ...outcome };
}

function registered(image: MetadataImage, registration: Registration, alive?: readonly number[]) {
  const outcome = register(image, registration, alive);
  if (typeof outcome === "string") throw new Error(outcome);
  return outcome;
}

const leaders = (image: MetadataImage) =>
  image.topics.get("t")?.partitions.map(({ leader, isr, elr = [] }) => [leader, isr, elr]);

test("the first broker begins fenced, and finalizes the features", () => {
  const { epoch, after } = registered(imageOf(), wanted(1));
  expect(epoch).toBe(21);
  expect(after.brokers.get(1)).toMatchObject({ epoch: 21, state: "fenced", host: "host-1" });
  expect([...after.features]).toEqual([["share.version", 1]]);
});

test("the same process again keeps its epoch and its state, and may bring other addresses", () => {
  const image = imageOf(broker(1));
  expect(registered(image, wanted(1), [1])).toMatchObject({ epoch: 1, records: [] });
  const { epoch, after } = registered(image, wanted(1, { rack: "b" }), [1]);
  expect(epoch).toBe(1);
  expect(after.brokers.get(1)).toMatchObject({ rack: "b", state: "active", epoch: 1 });
});

test("another process leads nothing; after an unclean stop it is not eligible either", () => {
  const image = imageOf(
    ...[1, 2, 3].map((id) => broker(id)),
    ...topic({ isr: [1, 2, 3], leader: 1 }, { isr: [1], leader: 1, elr: [2] }),
  );
  const process = { incarnationId: "another process" };
  const clean = registered(image, wanted(1, { ...process, previousEpoch: 1 }));
  expect(clean.epoch).toBe(21);
  expect(leaders(clean.after)).toEqual([[2, [2, 3], []], [2, [2], [1]]]);
  const unclean = registered(image, wanted(1, process));
  expect(leaders(unclean.after)).toEqual([[2, [2, 3], []], [2, [2], []]]);
});

test("who was unregistered and comes back is not eligible: nobody knows what it has lost", () => {
  const image = imageOf(broker(2), ...topic({ isr: [2], leader: 2, elr: [1] }));
  const { after } = registered(image, wanted(1, { previousEpoch: 1 }));
  expect(leaders(after)).toEqual([[2, [2], []]]);
});

test("who cannot be a member is told why", () => {
  const image = imageOf(
    broker(1),
    broker(2, "fenced"),
    { type: "feature", version: 1, name: "share.version", level: 1 },
  );
  const at = (host: string) => ({
    endpoints: [{ name: "PLAINTEXT", host, port: 9092, securityProtocol: 0 }],
  });
  const level = (minLevel: number) => ({
    features: [{ name: "share.version", minLevel, maxLevel: 3 }],
  });
  const cases: [Partial<Registration>, string][] = [
    [
      { clusterId: "other" },
      "INCONSISTENT_CLUSTER_ID: This is the cluster cluster, and broker 3 belongs to the cluster other.",
    ],
    [
      { features: [] },
      "UNSUPPORTED_VERSION: The cluster has finalized share.version at level 1, and broker 3 does not know it.",
    ],
    [
      level(2),
      "UNSUPPORTED_VERSION: The cluster has finalized share.version at level 1, and broker 3 knows levels 2 to 3.",
    ],
    [{ endpoints: [] }, "INVALID_REQUEST: Broker 3 has no address."],
    [
      at("0.0.0.0"),
      "INVALID_REQUEST: Nobody can connect to 0.0.0.0, which PLAINTEXT of broker 3 advertises.",
    ],
    [
      at("localhost"),
      "INVALID_REQUEST: Broker 3 advertises localhost for PLAINTEXT, where broker 1 at 10.0.0.1 cannot reach it.",
    ],
    [
      { brokerId: 1, incarnationId: "another process" },
      "DUPLICATE_BROKER_REGISTRATION: Another process is registered as broker 1 (at 10.0.0.1:9092), and was heard of within its session.",
    ],
  ];
  for (const [more, why] of cases) expect(register(image, wanted(3, more), [1])).toBe(why);
  // Alone it may be anywhere, and so it may where only fenced ones are elsewhere.
  registered(imageOf(broker(2, "fenced")), wanted(3, at("localhost")));
});

test("partitions follow the states of brokers", () => {
  const before = imageOf(
    ...[1, 2, 3].map((id) => broker(id, id === 3 ? "fenced" : "active")),
    ...topic({ isr: [1, 2], leader: 1 }, { isr: [3], leader: -1 }),
  );
  const after = (...states: [number, RegisteredState][]) =>
    before.apply(atOnce(planStates(before, new Map(states), policy)), 30).image;
  expect(leaders(after([1, "fenced"]))).toEqual([[2, [2], [1]], [-1, [3], []]]);
  expect(leaders(after([1, "stopping"]))).toEqual([[2, [2], [1]], [-1, [3], []]]);
  expect(leaders(after([1, "fenced"], [2, "fenced"]))).toEqual([[-1, [], [1, 2]], [-1, [3], []]]);
  expect(leaders(after([3, "active"]))).toEqual([[1, [1, 2], []], [3, [3], []]]);
  expect(atOnce(planStates(before, new Map([[1, "active"], [9, "fenced"]]), policy))).toEqual([]);
});

test("what was left undone can be found in the image alone", () => {
  const before = imageOf(
    ...[1, 2, 3].map((id) => broker(id, id === 1 ? "fenced" : "active")),
    ...topic({ isr: [1, 2], leader: 1 }, { isr: [3], leader: -1 }),
  );
  const { image } = before.apply(atOnce(planElections(before, policy)), 30);
  expect(leaders(image)).toEqual([[2, [2], [1]], [3, [3], []]]);
  expect(atOnce(planElections(image, policy))).toEqual([]);
});
