/** How far groups are behind, in a cluster whose partitions have one replica each, somewhere. */
import { expect, test } from "bun:test";
import { startBrokerProcess } from "../harness/broker-process.ts";
import { ok } from "./cli.ts";

const PARTITIONS = 6;
const SHARDS = 3;
const PATIENCE_MS = 30_000;

interface Place {
  readonly partition: number;
  readonly lag: number | null;
  readonly lagSeconds: number | null;
}
interface GroupView {
  readonly coordinator: number;
  readonly lag: number | null;
  readonly lagSeconds: number | null;
  readonly partitions: readonly Place[];
}

test("every broker tells how long a group is behind in partitions that others have", async () => {
  const broker = await startBrokerProcess({
    args: [
      ...["--shards", String(SHARDS), "--admin", "127.0.0.1:0", "--print-addr", "json"],
      ...["--topic", `orders:${PARTITIONS}`],
    ],
  });
  try {
    const brokers = broker.bootstrap;
    const found = broker.output().matchAll(/"admin":"(http:[^"]+)"/g);
    const admins = [...new Set([...found].map(([, url = ""]) => url))];
    expect(admins.length).toBe(SHARDS);
    const beganMs = Date.now();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await ok(["produce", "orders", "--partition", String(partition)], {
        brokers,
        input: "a\nb\n",
      });
    }
    await ok(["consume", "orders", "-g", "billing", "-n", "1"], { brokers });
    const moved = await fetch(`${admins[0]}/v1/groups/billing/seek`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"to":"start","topics":["orders"]}',
    });
    expect(moved.status).toBe(200);
    for (const admin of admins) {
      const described = async (): Promise<GroupView> =>
        JSON.parse(await (await fetch(`${admin}/v1/groups/billing`)).text());
      const isKnown = ({ partitions }: GroupView) =>
        partitions.every(({ lagSeconds }) => lagSeconds !== null);
      let view = await described();
      // What cannot be learnt in half a second is told by a later answer.
      while (!isKnown(view) && Date.now() - beganMs < PATIENCE_MS) view = await described();
      expect(view.lag).toBe(2 * PARTITIONS);
      expect(view.partitions.map(({ lag }) => lag)).toEqual(Array(PARTITIONS).fill(2));
      for (const { lagSeconds } of view.partitions) {
        expect(lagSeconds).toBeGreaterThan(0);
        expect(lagSeconds).toBeLessThan((Date.now() - beganMs) / 1000);
      }
      const listed = JSON.parse(await (await fetch(`${admin}/v1/groups`)).text());
      expect(listed.groups).toMatchObject([{ group: "billing", lag: 2 * PARTITIONS }]);
      expect(listed.groups[0].lagSeconds).toBeGreaterThanOrEqual(view.lagSeconds ?? Infinity);
      const metrics = await (await fetch(`${admin}/metrics`)).text();
      const shown = /^kstream_group_lag_seconds\{group="billing",topic="orders"\} (\S+)$/m
        .exec(metrics);
      if (shown !== null) expect(Number(shown[1])).toBeGreaterThan(0);
    }
  } finally {
    await broker.stop();
  }
}, 120_000);
