/** The lag of a group whose partitions are led by brokers other than its coordinator. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunClock } from "../../core/io/bun/clock.ts";
import { ClusterWorld, ROOT } from "../cluster.test-helper.ts";
import { parseMetrics } from "./strict-text.test-helper.ts";

const WRITTEN = 5;
/** A round of questions is due after 5 s, and a leader that is gone costs it no more than a second. */
const ANSWER_MS_MAX = 10_000;
let world: ClusterWorld;
/** The partition of `orders` that each broker leads. */
let ledBy: Map<number, number>;
/** A group that broker 1 coordinates. */
let group = "";

beforeAll(async () => {
  world = await ClusterWorld.start();
  ledBy = await world.createTopic("orders");
  const { admin } = world.own.of(ROOT);
  for (let number = 0; group === ""; number++) {
    const name = `group-${number}`;
    await admin.groups.alterOffsets(
      name,
      [0, 1, 2].map((partition) => ({ topic: "orders", partition, offset: BigInt(partition) })),
    );
    if ((await admin.groups.describe(name)).coordinator === 1) group = name;
  }
  const values = Array.from({ length: WRITTEN }, (_, value) => value);
  const lines = [0, 1, 2].flatMap((partition) =>
    values.map((value) => JSON.stringify({ value: String(value), partition }))
  );
  const answer = await world.node(1).ask("/v1/topics/orders/records", {
    ...{ method: "POST", body: lines.join("\n") },
    headers: { "content-type": "application/x-ndjson" },
  });
  expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
});
afterAll(() => world.stop());

/** The samples of the metrics of broker 1, by name with labels. */
async function samplesOf(path: string): Promise<Map<string, number>> {
  const answer = await world.node(1).ask(path);
  const families = parseMetrics(await answer.text(), "prometheus");
  return new Map([...families.values()].flatMap(({ samples }) => [...samples]));
}

/** The lags of the partitions by number, as broker 1 knows them. */
async function lags(): Promise<(number | undefined)[]> {
  const samples = await samplesOf("/metrics/detail");
  return [0, 1, 2].map((partition) =>
    samples.get(
      `kstream_group_partition_lag_records{group="${group}",topic="orders",partition="${partition}"}`,
    )
  );
}

test("the leaders are asked where their partitions end", async () => {
  expect([...ledBy.keys()].sort()).toEqual([1, 2, 3]);
  // Asked the first time, it waits for the leaders.
  expect(await lags()).toEqual([WRITTEN, WRITTEN - 1, WRITTEN - 2]);
  const samples = await samplesOf("/metrics");
  const labels = `{group="${group}",topic="orders"}`;
  expect(samples.get(`kstream_group_lag_records${labels}`)).toBe(3 * WRITTEN - 3);
  expect(samples.get(`kstream_group_committed_partitions${labels}`)).toBe(3);
  // What is committed is known here at once.
  const partition = ledBy.get(3)!;
  const { admin } = world.own.of(ROOT);
  await admin.groups.alterOffsets(group, [{ topic: "orders", partition, offset: BigInt(WRITTEN) }]);
  expect((await lags())[partition]).toBe(0);
});

test(
  "a leader that is gone keeps nobody waiting, and the lag of what it led is not known",
  async () => {
    await world.node(2).stop();
    const { metadata } = world.node(1).running.broker;
    await world.until(() => metadata.image.brokers.get(2)?.state === "fenced");
    const startMs = bunClock.monotonicMs();
    const lost = ledBy.get(2)!;
    await world.until(async () => (await lags())[lost] === -1);
    const known = [ledBy.get(1)!, ledBy.get(3)!].sort();
    const found = await lags();
    expect(known.map((partition) => found[partition])).not.toContain(-1);
    expect(bunClock.monotonicMs() - startMs).toBeLessThan(ANSWER_MS_MAX);
  },
  60_000,
);
