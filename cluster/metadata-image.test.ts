import { describe, expect, test } from "bun:test";
import { type AclEntry, aclKey } from "../core/acl.ts";
import { ClientQuotas, quotaEntityKey } from "./client-quotas.ts";
import { aloneBroker, MetadataImage, type TopicImage } from "./metadata-image.ts";
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
      [...image.configured("broker")].map((
        name,
      ) => [name, Object.fromEntries(image.brokerConfigs(name))]),
    ),
    groupConfigs: [...image.configured("group")].sort().map((name) => [
      name,
      Object.fromEntries(image.configs("group", name)),
    ]),
    acls: [...image.acls].map(aclKey).sort(),
    credentials: [...image.scramCredentials].map((it) => JSON.stringify(it)).sort(),
    quotas: [...image.quotas.all()].map(({ entity, values }) => [
      quotaEntityKey(entity),
      Object.fromEntries(values),
    ]).sort(),
    nextProducerId: image.nextProducerId,
  };
}

/** One random change of access control, credentials, quotas, features or a group's configs. */
function randomSecurityChange(
  image: MetadataImage,
  below: (bound: number) => number,
): MetadataRecord {
  const user = `user-${below(5)}`;
  const mechanism = "SCRAM-SHA-256";
  switch (below(5)) {
    case 0: {
      const entry: AclEntry = {
        resourceType: "TOPIC",
        resourceName: `t${below(3)}`,
        patternType: below(2) === 0 ? "LITERAL" : "PREFIXED",
        principal: `User:${user}`,
        host: "*",
        operation: "READ",
        permission: "ALLOW",
      };
      return { type: image.hasAcl(entry) ? "remove-acl" : "acl", version: 1, ...entry };
    }
    case 1:
      return image.scramCredential(user, mechanism) === undefined
        ? {
          type: "scram-credential",
          version: 1,
          user,
          mechanism,
          salt: "c2FsdA==",
          storedKey: "YQ==",
          serverKey: "Yg==",
          iterations: 4096 + below(10),
        }
        : { type: "remove-scram-credential", version: 1, user, mechanism };
    case 2: {
      const entity =
        [{ user }, { user: null }, { user, "client-id": null }, { ip: user }][below(4)];
      const value = below(3) === 0 ? null : below(1000) + 0.5;
      const key = ["producer_byte_rate", "consumer_byte_rate"][below(2)] ?? "";
      return { type: "client-quota", version: 1, entity: entity ?? {}, key, value };
    }
    case 3:
      return { type: "feature", version: 1, name: "group.version", level: below(2) };
    default: {
      const value = below(2) === 0 ? null : "50000";
      const name = "consumer.session.timeout.ms";
      return { type: "config", version: 1, resourceType: "group", resourceName: user, name, value };
    }
  }
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
  switch (below(8)) {
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
    case 5:
    case 6:
      return [randomSecurityChange(image, below)];
    default:
  }
  const name = `topic-${below(1_000_000)}`;
  if (image.topics.has(name)) return [aloneBroker(1, name)];
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
        for (const { entry, isRemoved } of delta.changedAcls) {
          expect([before.hasAcl(entry), after.hasAcl(entry)]).toEqual([isRemoved, !isRemoved]);
        }
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

function aclJson(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    type: "acl",
    version: 1,
    resourceType: "TOPIC",
    resourceName: "t",
    patternType: "LITERAL",
    principal: "User:a",
    host: "*",
    operation: "READ",
    permission: "ALLOW",
    ...change,
  });
}

function quotaJson(entity: unknown): string {
  return JSON.stringify({ type: "client-quota", version: 1, entity, key: "k", value: 1 });
}

test("the most specific quota binds, and a default binds everyone for himself", () => {
  const key = "producer_byte_rate";
  // From the weakest to the strongest: each is set over all before it (ClientQuotaManager).
  const order = [
    { "client-id": null },
    { "client-id": "c" },
    { user: null },
    { user: null, "client-id": null },
    { user: null, "client-id": "c" },
    { user: "u" },
    { user: "u", "client-id": null },
    { user: "u", "client-id": "c" },
  ];
  let quotas = ClientQuotas.EMPTY;
  expect(quotas.forClient("u", "c", key)).toBeUndefined();
  const bound: unknown[] = [];
  order.forEach((entity, value) => {
    quotas = quotas.with([{ entity, key, value }]);
    const applied = quotas.forClient("u", "c", key);
    expect(applied?.value).toBe(value);
    bound.push(applied?.entity);
  });
  const both = { user: "u", "client-id": "c" };
  const [client, user] = [{ "client-id": "c" }, { user: "u" }];
  expect(bound).toEqual([client, client, user, both, both, user, both, both]);
  expect(quotas.forClient("u", "c", "consumer_byte_rate")).toBeUndefined();
  const byIp = quotas.with([{ entity: { ip: null }, key: "connection_creation_rate", value: 9 }]);
  expect(byIp.forIp("10.0.0.1", "connection_creation_rate"))
    .toEqual({ entity: { ip: "10.0.0.1" }, value: 9 });
});

describe("decodeMetadataRecord", () => {
  for (
    const [what, text] of [
      ["no JSON", "{"],
      ["an unknown type", `{"type":"unheard-of","version":1}`],
      ["an ACL of an unknown operation", aclJson({ operation: "FLY" })],
      ["an ACL without a host", aclJson({ host: undefined })],
      ["a quota of an unknown entity", quotaJson({ planet: "earth" })],
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
