import { expect, test } from "bun:test";
import { clusterOptions } from "./cluster-fields.ts";
import { Policy } from "./policy.ts";
import { SyncStore, thinned } from "./sync-store.ts";

test("no offset is translated past a record that the group has not had", () => {
  let state = 7;
  const below = (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % bound;
  };
  for (let round = 0; round < 200; round++) {
    const store = new SyncStore();
    const copies: { upstream: number; downstream: number }[] = [];
    let [upstream, downstream] = [0, 0];
    for (let n = 0; n < 300; n++) {
      copies.push({ upstream, downstream });
      if (below(4) === 0) store.hear({ topic: "t", partition: 0, upstream, downstream });
      // Gaps of compaction and of markers, on either side.
      upstream += 1 + (below(5) === 0 ? below(9) : 0);
      downstream += 1 + (below(5) === 0 ? below(3) : 0);
    }
    for (let offset = 0; offset <= upstream; offset++) {
      const translated = store.translate("t", 0, offset);
      const next = copies.find((copy) => copy.upstream >= offset)?.downstream ?? downstream;
      if (translated !== null) expect(translated).toBeLessThanOrEqual(next);
    }
    const last = copies.at(-1)!;
    store.hear({ topic: "t", partition: 0, ...last });
    expect(store.translate("t", 0, last.upstream)).toBe(last.downstream);
    expect(store.translate("t", 0, last.upstream + 1)).toBe(last.downstream + 1);
    // The source begins anew: what was before is forgotten.
    store.hear({ topic: "t", partition: 0, upstream: 5, downstream: downstream + 10 });
    expect(store.translate("t", 0, 4)).toBeNull();
    expect(store.translate("t", 0, last.upstream)).toBe(downstream + 11);
  }
});

test("what is kept of syncs grows with the logarithm of offsets", () => {
  let kept: ReturnType<typeof thinned> = [];
  for (let upstream = 0; upstream < 100_000; upstream++) {
    kept = thinned([{ topic: "t", partition: 0, upstream, downstream: upstream }, ...kept]);
  }
  expect(kept.length).toBeLessThan(60);
  const [latest] = kept;
  for (const [index, { upstream }] of kept.entries()) {
    const behind = latest!.upstream - upstream;
    const gap = (kept[index - 1]?.upstream ?? upstream) - upstream;
    expect(gap).toBeLessThanOrEqual(Math.max(2, behind));
  }
});

test("topics that have come from the target are known by their names", () => {
  const settings = { separator: ".", hasSeparatorInside: true, sourceAlias: "a" };
  const policy = new Policy({ ...settings, kind: "default" });
  const cycles = ["b.t", "c.b.t", "t", "c.t"].map((topic) => policy.isCycle(topic, "b"));
  expect(cycles).toEqual([true, true, false, false]);
  expect(policy.original("x.y.heartbeats")).toBe("heartbeats");
  const identity = new Policy({ ...settings, kind: "identity" });
  expect(["t", "heartbeats"].map((topic) => identity.remote(topic))).toEqual(["t", "a.heartbeats"]);
});

test("who we are is read as Kafka's login modules have it", () => {
  const config = {
    "source.cluster.bootstrap.servers": ["h:1"],
    "source.cluster.security.protocol": "SASL_PLAINTEXT",
    "source.cluster.sasl.mechanism": "SCRAM-SHA-512",
    "source.cluster.sasl.jaas.config":
      'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" ' +
      'password="p\\"; =x";',
  };
  expect(clusterOptions(config, "source")).toEqual({
    brokers: ["h:1"],
    sasl: { mechanism: "SCRAM-SHA-512", username: "u", password: 'p"; =x' },
  });
  const without = { ...config, "source.cluster.sasl.jaas.config": "s3cret" };
  expect(() => clusterOptions(without, "source")).toThrow('has no username="…"');
});
