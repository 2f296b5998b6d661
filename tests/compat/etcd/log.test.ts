/** The metadata log on one real etcd. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { aloneBroker } from "../../../cluster/metadata-image.ts";
import {
  type LogUnderTest,
  metadataLogSuite,
} from "../../../cluster/metadata-log-suite.test-helper.ts";
import { EtcdKeys } from "../../../cluster/etcd/etcd-layout.ts";
import { openEtcdMetadataLog } from "../../../cluster/etcd/open-etcd.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { EtcdServers } from "../../harness/etcd-process.ts";
import { ETCD } from "../install.ts";
import { CLUSTER_ID, freshName, idOf, openLog, until, worldAt } from "./world.ts";
import { readAll } from "../../../cluster/metadata-log-suite.test-helper.ts";

let etcd: EtcdServers;
beforeAll(async () => void (etcd = await EtcdServers.start(ETCD, { members: 1 })));
afterAll(() => etcd.close());

metadataLogSuite("EtcdMetadataLog on etcd", () => {
  const name = freshName();
  const open = async (): Promise<LogUnderTest> => {
    return { log: await openLog(etcd.urls, name), reopen: open };
  };
  return open();
});

async function problemOf(opening: Promise<unknown>): Promise<OperatorError> {
  const error: unknown = await opening.then(() => null, (reason: unknown) => reason);
  if (error instanceof OperatorError) return error;
  throw new Error(`no OperatorError but ${String(error)}`);
}

describe("on one etcd", () => {
  test("of two that append at once one wins each position, and both read the same", async () => {
    const name = freshName();
    const logs = await Promise.all([openLog(etcd.urls, name), openLog(etcd.urls, name)]);
    const won: number[] = [];
    for (let round = 0; round < 40; round++) {
      const position = won.length;
      const results = await Promise.all(
        logs.map((log, index) => log.append(position, [aloneBroker(round * 2 + index)])),
      );
      expect(results.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
      won.push(round * 2 + results.findIndex(({ ok }) => ok));
      expect(results.find(({ ok }) => !ok)).toEqual({
        ok: false,
        reason: "conflict",
        endPosition: position + 1,
      });
    }
    for (const log of logs) expect((await readAll(log)).map(idOf)).toEqual(won);
  });

  test("a follower hears of an append at once, and of one behind compacted revisions", async () => {
    const name = freshName();
    const [writer, follower] = [await openLog(etcd.urls, name), await openLog(etcd.urls, name)];
    for (let id = 0; id < 20; id++) {
      await writer.append(id, [aloneBroker(id)]);
      if (id % 5 === 0) await etcd.compact();
      await until("the follower has heard of it", () => follower.endPosition === id + 1);
    }
    expect((await readAll(follower)).map(idOf)).toEqual(Array.from({ length: 20 }, (_, id) => id));
  });

  test("a watch that begins at compacted revisions ends and says so", async () => {
    const world = worldAt({ endpoints: etcd.urls });
    const log = await openLog(etcd.urls, freshName());
    await log.append(0, [aloneBroker(1)]);
    await etcd.compact();
    const message = await new Promise<string>((resolve) =>
      void world.store.watch("key", 1, { onChange: () => {}, onEnd: resolve })
    );
    expect(message).toContain("compacted");
  });

  test("takes changes and snapshots of any size", async () => {
    const name = freshName();
    const log = await openLog(etcd.urls, name);
    const large = "x".repeat(400_000);
    const change = Array.from({ length: 15 }, (_, id) => aloneBroker(id, large));
    expect(await log.append(0, change)).toEqual({ ok: true, position: 15 });
    // Together more than an answer of etcd's may hold.
    for (let id = 15; id < 35; id++) await log.append(id, [aloneBroker(id, large)]);
    const other = await openLog(etcd.urls, name);
    expect((await readAll(other)).map(idOf)).toEqual(Array.from({ length: 35 }, (_, id) => id));
    await log.writeSnapshot({ position: 35, records: await readAll(log) });
    expect((await other.readSnapshot())?.records.length).toBe(35);
    expect(await other.read(15)).toEqual({ kind: "gone" });
    await log.append(35, [aloneBroker(35)]);
    await log.writeSnapshot({ position: 36, records: [aloneBroker(35)] });
    const keys = new EtcdKeys(name);
    const world = worldAt({ endpoints: etcd.urls });
    const left = await world.store.txn({
      compare: [],
      then: [{ type: "range", key: keys.prefix, rangeEnd: `${keys.prefix}~` }],
      otherwise: [],
    }, 5000);
    // Identity, head, pointer, one chunk: nothing of the past stays.
    expect(left.ok && left.value.results[0]?.length).toBe(4);
  });

  test("refuses keys of others", async () => {
    const name = freshName();
    const world = worldAt({ endpoints: etcd.urls });
    const { store } = world;
    const value = new TextEncoder().encode("theirs");
    const then = [{ type: "put", key: `/kstream/${name}/config`, value } as const];
    await store.txn({ compare: [], then, otherwise: [] }, 5000);
    const expected = { cluster: name, newClusterId: CLUSTER_ID };
    const foreign = await problemOf(openEtcdMetadataLog(world, expected));
    expect(foreign.message).toContain("they are not kstream's");
    const ours = freshName();
    await openEtcdMetadataLog(world, { cluster: ours, newClusterId: CLUSTER_ID });
    const opened = await openEtcdMetadataLog(world, {
      cluster: ours,
      newClusterId: "BBBBBBBBBBBBBBBBBBBBBQ",
    });
    expect(opened.clusterId).toBe(CLUSTER_ID);
    const otherId = await problemOf(openEtcdMetadataLog(world, {
      cluster: ours,
      newClusterId: CLUSTER_ID,
      clusterId: "BBBBBBBBBBBBBBBBBBBBBQ",
    }));
    expect(otherId.message).toContain(`a cluster of the id ${CLUSTER_ID}`);
    const lost = await problemOf(openEtcdMetadataLog(world, {
      cluster: freshName(),
      newClusterId: CLUSTER_ID,
      clusterId: CLUSTER_ID,
    }));
    expect(lost.message).toContain("there are none");
  });

  test("says so where there is no etcd, or something else", async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response("hello") });
    const times = { callMs: 300, operationMs: 600, checkMs: 1000 };
    const expected = { cluster: freshName(), newClusterId: CLUSTER_ID };
    const stranger = worldAt({ endpoints: [`http://127.0.0.1:${server.port}`] }, times);
    expect((await problemOf(openEtcdMetadataLog(stranger, expected))).message)
      .toContain("is it etcd?");
    await server.stop(true);
    const nobody = await problemOf(openEtcdMetadataLog(stranger, expected));
    expect(nobody.message).toContain("refuses connections");
    expect(nobody.exitCode).toBe(3);
  });

  test("refuses addresses of two etcd clusters", async () => {
    const other = await EtcdServers.start(ETCD, { members: 1 });
    try {
      const world = worldAt({ endpoints: [...other.urls, ...etcd.urls] });
      const expected = { cluster: freshName(), newClusterId: CLUSTER_ID };
      const { log } = await openEtcdMetadataLog(world, expected);
      await other.members[0]?.kill();
      expect(await log.append(0, [aloneBroker(1)])).toMatchObject({
        ok: false,
        message: expect.stringContaining("another etcd cluster"),
      });
    } finally {
      await other.close();
    }
  });
});
