/** What the controller's decisions cost in a cluster of 100 brokers and 100,000 partitions. */
import { expect, test } from "bun:test";
import { atOnce } from "../../core/steps.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { aloneBroker, MetadataImage, topicRecords } from "../metadata-image.ts";
import type { MetadataRecord } from "../metadata-records.ts";
import { partitionsAfter } from "./broker-changes.ts";
import { leaderChanges } from "./leader-balance.ts";
import { newPartition } from "./partition-change.ts";
import { countLoads, Placement, placementBrokers } from "./placement.ts";

const BROKERS = 100;
const TOPICS = 2000;
const PARTITIONS = 50;
/** So many are placed one by one, which is the most that one request may create. */
const PLACED = 10_000;
/** Many times what it takes on a slow machine. */
const BOUND_MS = 5000;

function timed<T>(run: () => T): T {
  const sinceNs = Bun.nanoseconds();
  const value = run();
  const tookMs = (Bun.nanoseconds() - sinceNs) / 1e6;
  if (process.env["SHOW_TIMES"]) console.log(`${tookMs.toFixed(1)} ms: ${run}`);
  expect(tookMs).toBeLessThan(BOUND_MS);
  return value;
}

const elections = (dead: number) => ({
  isAlive: (id: number) => id !== dead,
  minInsync: () => 2,
  electsUncleanly: () => false,
});

test("brokers fail, come back and get new partitions within moments", () => {
  const members = Array.from({ length: BROKERS }, (_, index): MetadataRecord => ({
    ...aloneBroker(index),
    ...{ host: `host-${index}`, rack: `rack-${index % 3}` },
  }));
  const empty = MetadataImage.EMPTY.apply(members, 1).image;
  const placement = new Placement(placementBrokers(empty), () => undefined, new SimRandom(1));
  const records: MetadataRecord[] = [];
  placement.beginTopic();
  const placed = timed(() => Array.from({ length: PLACED }, () => placement.place(3)));
  for (let topic = 0; topic < TOPICS; topic++) {
    const name = `topic-${topic}`;
    const id = Buffer.from(name.padEnd(16)).toString("base64url");
    const partitions = Array.from(
      { length: PARTITIONS },
      (_, index) => newPartition(placed[(topic * PARTITIONS + index) % PLACED] ?? [], () => true),
    );
    for (const each of topicRecords({ name, id, partitions, configs: new Map() })) {
      records.push(each);
    }
  }
  const image = timed(() => empty.apply(records, 2).image);
  const loads = [...timed(() => atOnce(countLoads(image.topics.values()))).values()];
  const fair = TOPICS * PARTITIONS / BROKERS;
  for (const { replicas, leaders } of loads) {
    expect(Math.abs(leaders - fair)).toBeLessThanOrEqual(fair / 10);
    expect(Math.abs(replicas - 3 * fair)).toBeLessThanOrEqual(fair / 10);
  }
  const failover = timed(() => atOnce(partitionsAfter(image, { leaving: [7] }, elections(7))));
  const lost = [...image.topics.values()].flatMap(({ partitions }) => partitions)
    .filter(({ isr }) => isr.includes(7));
  expect(failover.length).toBe(lost.length);
  const without = timed(() => image.apply(failover, 3).image);
  const leaders = atOnce(countLeaders(without));
  expect(leaders.get(7) ?? 0).toBe(0);
  // Everybody takes over a little.
  expect(Math.max(...leaders.values())).toBeLessThan(fair * 1.2);
  const back = timed(() => atOnce(leaderChanges(image, "preferred", elections(-1))));
  expect(back).toEqual([]);
  const unclean = timed(() => atOnce(partitionsAfter(without, { returning: [7] }, elections(-1))));
  expect(unclean).toEqual([]);
});

function* countLeaders(image: MetadataImage): Generator<void, Map<number, number>> {
  const leaders = new Map<number, number>();
  for (const { partitions } of image.topics.values()) {
    for (const { leader } of partitions) leaders.set(leader, (leaders.get(leader) ?? 0) + 1);
    yield;
  }
  return leaders;
}
