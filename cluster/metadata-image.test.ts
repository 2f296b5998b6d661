import { describe, expect, test } from "bun:test";
import { MetadataImage, type TopicImage } from "./metadata-image.ts";
import type { MetadataRecord } from "./metadata-records.ts";
import { decodeMetadataRecord, encodeMetadataRecord } from "./metadata-records.ts";
import { PersistentMap } from "./persistent-map.ts";

/** mulberry32: a small seeded generator; `below(n)` is uniform enough for tests. */
function seeded(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** The same facts as an image, as plain data that `toEqual` can compare. */
function plain(image: MetadataImage) {
  const topic = (it: TopicImage) => ({ ...it, configs: Object.fromEntries(it.configs) });
  return {
    topics: Object.fromEntries([...image.topics].map(([name, it]) => [name, topic(it)])),
    ids: [...image.topicsById.keys()].sort(),
    brokers: Object.fromEntries(image.brokers),
    features: Object.fromEntries(image.features),
    brokerConfigs: Object.fromEntries(
      [...image.configuredBrokers()].map((
        name,
      ) => [name, Object.fromEntries(image.brokerConfigs(name))]),
    ),
    nextProducerId: image.nextProducerId,
  };
}

const partition = (topicId: string, index: number, leaderEpoch: number): MetadataRecord => ({
  type: "partition",
  version: 1,
  topicId,
  partition: index,
  replicas: [1],
  isr: [1],
  leader: 1,
  leaderEpoch,
  partitionEpoch: leaderEpoch,
});

/** One random, valid change of the image. */
function randomChange(image: MetadataImage, below: (bound: number) => number): MetadataRecord[] {
  const topics = [...image.topics.values()];
  const topic = topics[below(Math.max(1, topics.length))];
  switch (below(6)) {
    case 0:
      if (topic !== undefined) return [{ type: "remove-topic", version: 1, id: topic.id }];
      break;
    case 1:
      if (topic !== undefined) return [partition(topic.id, topic.partitions.length, 0)];
      break;
    case 2:
      if (topic !== undefined) {
        const value = below(3) === 0 ? null : String(below(100));
        const name = `config-${below(3)}`;
        return [{
          type: "config",
          version: 1,
          resourceType: "topic",
          resourceName: topic.name,
          name,
          value,
        }];
      }
      break;
    case 3: {
      const value = below(2) === 0 ? null : "x";
      const resourceName = ["", "1"][below(2)] ?? "";
      return [{
        type: "config",
        version: 1,
        resourceType: "broker",
        resourceName,
        name: "a",
        value,
      }];
    }
    case 4:
      return [{
        type: "producer-ids",
        version: 1,
        brokerId: 1,
        nextProducerId: image.nextProducerId + 1000,
      }];
    default:
  }
  const name = `topic-${below(1_000_000)}`;
  if (image.topics.has(name)) return [{ type: "broker", version: 1, brokerId: 1, rack: name }];
  const id = `id-of-${name}-${below(1_000_000)}`;
  return [{ type: "topic", version: 1, name, id }, partition(id, 0, 0), partition(id, 1, 0)];
}

describe("MetadataImage", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    test(`an image, its snapshot and its bytes say the same (seed ${seed})`, () => {
      const below = seeded(seed);
      let image = MetadataImage.EMPTY;
      const held: { image: MetadataImage; facts: unknown }[] = [];
      for (let position = 1; position <= 300; position++) {
        const change = randomChange(image, below);
        const bytes = change.map(encodeMetadataRecord);
        const before = image;
        const { image: after, delta } = image.apply(bytes.map(decodeMetadataRecord), position);
        image = after;
        // The delta is the difference, no more and no less.
        const created = [...after.topicsById.keys()].filter((id) => !before.topicsById.has(id));
        const deleted = [...before.topicsById.keys()].filter((id) => !after.topicsById.has(id));
        expect(delta.createdTopics.map(({ id }) => id)).toEqual(created);
        expect(delta.deletedTopics.map(({ id }) => id)).toEqual(deleted);
        expect(delta.changedTopics.every(({ before: a, after: b }) => a.id === b.id)).toBe(true);
        if (position % 50 === 0) held.push({ image, facts: structuredClone(plain(image)) });
      }
      const rebuilt = MetadataImage.EMPTY.apply(image.toRecords(), image.position).image;
      expect(plain(rebuilt)).toEqual(plain(image));
      expect(rebuilt.position).toBe(300);
      // Whoever holds an old image still sees the old cluster.
      for (const { image: old, facts } of held) expect(plain(old)).toEqual(facts as never);
    });
  }

  test("a topic that is deleted and created again in one change is both", () => {
    const made = MetadataImage.EMPTY.apply(
      [{ type: "topic", version: 1, name: "t", id: "a" }, partition("a", 0, 0)],
      1,
    ).image;
    const { image, delta } = made.apply([
      { type: "remove-topic", version: 1, id: "a" },
      { type: "topic", version: 1, name: "t", id: "b" },
      partition("b", 0, 0),
    ], 2);
    expect(image.topics.get("t")?.id).toBe("b");
    expect(image.topicsById.has("a")).toBe(false);
    expect(delta.deletedTopics.map(({ id }) => id)).toEqual(["a"]);
    expect(delta.createdTopics.map(({ id }) => id)).toEqual(["b"]);
  });

  test("a topic's configs go with it", () => {
    const config: MetadataRecord = {
      type: "config",
      version: 1,
      resourceType: "topic",
      resourceName: "t",
      name: "retention.ms",
      value: "1",
    };
    const create = (id: string): MetadataRecord[] => [
      { type: "topic", version: 1, name: "t", id },
      partition(id, 0, 0),
    ];
    const first = MetadataImage.EMPTY.apply([...create("a"), config], 1).image;
    const gone = first.apply([{ type: "remove-topic", version: 1, id: "a" }], 2).image;
    const again = gone.apply(create("b"), 3).image;
    expect(first.topics.get("t")?.configs.size).toBe(1);
    expect(again.topics.get("t")?.configs.size).toBe(0);
  });
});

describe("decodeMetadataRecord", () => {
  for (
    const [what, text] of [
      ["no JSON", "{"],
      ["an unknown type", `{"type":"acl","version":1}`],
      ["a newer version", `{"type":"remove-topic","version":2,"id":"a"}`],
      ["a missing field", `{"type":"topic","version":1,"name":"a"}`],
      ["a field of another type", `{"type":"broker","version":1,"brokerId":"1","rack":null}`],
      ["an inherited type", `{"type":"toString","version":1}`],
    ] as const
  ) {
    test(`refuses ${what}`, () => {
      expect(() => decodeMetadataRecord(new TextEncoder().encode(text))).toThrow("metadata record");
    });
  }
});

test("PersistentMap does what a Map does, and old versions stay", () => {
  const below = seeded(7);
  let map = PersistentMap.empty<number>();
  const model = new Map<string, number>();
  const old = map.with([["kept", 1]]);
  for (let i = 0; i < 5000; i++) {
    const key = `key-${below(2000)}`;
    const value = below(3) === 0 ? undefined : i;
    map = map.with([[key, value]]);
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
  expect(map.size).toBe(model.size);
  expect(new Map(map)).toEqual(model);
  expect([...old]).toEqual([["kept", 1]]);
});
