/** The metadata log and the election on an etcd that fails in every way that a process can. */
import { afterEach, describe, expect, test } from "bun:test";
import type { EtcdMetadataLog } from "../../../cluster/etcd/etcd-metadata-log.ts";
import { etcdControllerElection, openEtcdMetadataLog } from "../../../cluster/etcd/open-etcd.ts";
import type { ControllerElection } from "../../../cluster/controller-election.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { type EtcdMember, EtcdServers } from "../../harness/etcd-process.ts";
import { ETCD } from "../install.ts";
import { CLUSTER_ID, freshName, idOf, openLog, until, worldAt } from "./world.ts";
import { aloneBroker } from "../../../cluster/metadata-image.ts";
import { readAll } from "../../../cluster/metadata-log-suite.test-helper.ts";

let servers: EtcdServers | null = null;
const closers: (() => void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await servers?.close();
  servers = null;
});

async function start(members: number): Promise<EtcdServers> {
  servers = await EtcdServers.start(ETCD, { members });
  return servers;
}

/** Appends records 0, 1, … until `isOver`, whatever fails; which were acknowledged. */
async function appendUntil(log: EtcdMetadataLog, isOver: () => boolean): Promise<number[]> {
  const acknowledged: number[] = [];
  for (let id = 0; !isOver(); id++) {
    const result = await log.append(log.endPosition, [aloneBroker(id)]);
    if (result.ok) acknowledged.push(id);
  }
  return acknowledged;
}

async function expectWhole(log: EtcdMetadataLog, acknowledged: readonly number[]): Promise<void> {
  const ids = (await readAll(log)).map(idOf);
  expect(new Set(ids).size).toBe(ids.length);
  expect(acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
}

describe("one etcd", () => {
  test("that is killed again and again loses and doubles nothing", async () => {
    const etcd = await start(1);
    const name = freshName();
    const log = await openLog(etcd.urls, name);
    let isOver = false;
    const appended = appendUntil(log, () => isOver);
    for (let round = 1; round <= 4; round++) {
      const before = log.endPosition;
      await until("appends go on", () => log.endPosition > before + 20);
      await etcd.members[0]?.kill();
      etcd.members[0]?.start();
      await etcd.ready();
    }
    const before = log.endPosition;
    await until("appends go on", () => log.endPosition > before);
    isOver = true;
    await expectWhole(await openLog(etcd.urls, name), await appended);
  });

  test("that is away makes appends say so, and what was in doubt is settled later", async () => {
    const etcd = await start(1);
    const member = etcd.members[0]!;
    const times = { callMs: 300, operationMs: 700, checkMs: 1000 };
    const name = freshName();
    const log = await openLog(etcd.urls, name, times);
    await log.append(0, [aloneBroker(0)]);
    member.stop();
    // It has the request and may do it when it goes on.
    const inDoubt = await log.append(1, [aloneBroker(1)]);
    expect(inDoubt).toMatchObject({
      ok: false,
      reason: "unavailable",
      message: expect.stringContaining("did not answer in time"),
    });
    await expect(log.read(1)).rejects.toThrow("did not answer in time");
    member.resume();
    await etcd.ready();
    const next = await log.append(1, [aloneBroker(2)]);
    const ids = (await readAll(await openLog(etcd.urls, name))).map(idOf);
    // Either the first one is there, and the second was refused for it, or the other way round.
    expect(ids).toEqual(next.ok ? [0, 2] : [0, 1]);
  });
});

describe("three etcds", () => {
  test("whose leader is killed lose and double nothing", async () => {
    const etcd = await start(3);
    const name = freshName();
    const log = await openLog(etcd.urls, name);
    const follower = await openLog(etcd.urls.toReversed(), name);
    let isOver = false;
    const appended = appendUntil(log, () => isOver);
    for (let round = 1; round <= 3; round++) {
      const before = log.endPosition;
      await until("appends go on", () => log.endPosition > before + 20);
      const leader = await etcd.leader();
      await leader.kill();
      const killed = log.endPosition;
      await until("appends go on", () => log.endPosition > killed + 5);
      leader.start();
    }
    isOver = true;
    const acknowledged = await appended;
    await until("the follower has heard of all", () => follower.endPosition === log.endPosition);
    await expectWhole(await openLog(etcd.urls, name), acknowledged);
  });

  test("the one that we speak to stops answering: appends and watches go to another", async () => {
    const etcd = await start(3);
    const name = freshName();
    const log = await openLog(etcd.urls, name);
    const follower = await openLog(etcd.urls, name);
    await log.append(0, [aloneBroker(0)]);
    await until("the follower has heard of it", () => follower.endPosition === 1);
    etcd.members[0]?.stop();
    const sinceMs = bunClock.monotonicMs();
    expect(await log.append(1, [aloneBroker(1)])).toEqual({ ok: true, position: 2 });
    // The watch of the follower is silent: it has to notice that by itself.
    await until("the follower has heard of it", () => follower.endPosition === 2);
    expect(bunClock.monotonicMs() - sinceMs).toBeLessThan(6000);
    etcd.members[0]?.resume();
    await log.append(2, [aloneBroker(2)]);
    await until("the follower has heard of it", () => follower.endPosition === 3);
    await expectWhole(follower, [0, 1, 2]);
  });

  test("without a quorum nothing is appended; with it all goes on", async () => {
    const etcd = await start(3);
    const name = freshName();
    const times = { callMs: 500, operationMs: 1500, checkMs: 1000 };
    const log = await openLog(etcd.urls, name, times);
    await log.append(0, [aloneBroker(0)]);
    const [first, second]: readonly EtcdMember[] = etcd.members;
    await Promise.all([first?.kill(), second?.kill()]);
    const lost = await log.append(1, [aloneBroker(1)]);
    expect(lost).toMatchObject({ ok: false, reason: "unavailable" });
    expect(await log.append(1, [aloneBroker(2)])).toMatchObject({
      ok: false,
      reason: "unavailable",
    });
    first?.start();
    await etcd.ready();
    const acknowledged = [0];
    for (let id = 3; acknowledged.length < 3 && id < 50; id++) {
      const result = await log.append(log.endPosition, [aloneBroker(id)]);
      if (result.ok) acknowledged.push(id);
    }
    expect(acknowledged.length).toBe(3);
    await expectWhole(await openLog(etcd.urls, name), acknowledged);
  });
});

/** A node: its log, which appends only while it is controller, and what it has heard. */
async function node(etcd: EtcdServers, cluster: string, nodeId: number) {
  const world = worldAt({ endpoints: etcd.urls });
  const election: ControllerElection & Parameters<typeof openEtcdMetadataLog>[2] =
    etcdControllerElection(world, cluster, nodeId, 2000);
  const expected = { cluster, newClusterId: CLUSTER_ID };
  const { log } = await openEtcdMetadataLog(world, expected, election);
  const heard: string[] = [];
  election.campaign({
    onElected: (term) => heard.push(`elected ${term}`),
    onLost: (reason) => heard.push(`lost: ${reason}`),
  }, { host: "10.0.0.1", port: nodeId });
  closers.push(() => void election.resign());
  return { log, election, heard };
}

describe("an election", () => {
  test("has one winner, whose office goes to another when it resigns", async () => {
    const etcd = await start(1);
    const name = freshName();
    const nodes = await Promise.all([1, 2, 3].map((id) => node(etcd, name, id)));
    await until("one is elected", () => nodes.some(({ election }) => election.term !== null));
    const [winner] = nodes.filter(({ election }) => election.term === 1);
    const losers = nodes.filter((each) => each !== winner);
    expect(losers.map(({ election }) => election.term)).toEqual([null, null]);
    expect(await winner?.log.append(0, [aloneBroker(1)])).toEqual({ ok: true, position: 1 });
    expect(await losers[0]?.log.append(1, [aloneBroker(2)])).toMatchObject({
      ok: false,
      message: "this node is not the controller of the cluster",
    });
    const sinceMs = bunClock.monotonicMs();
    await winner?.election.resign();
    await until("another is elected", () => losers.some(({ election }) => election.term === 2));
    expect(bunClock.monotonicMs() - sinceMs).toBeLessThan(1000);
    expect(winner?.heard).toEqual(["elected 1", "lost: it has resigned"]);
    const next = losers.find(({ election }) => election.term === 2);
    expect(await next?.log.append(1, [aloneBroker(2)])).toEqual({ ok: true, position: 2 });
    await until("all know it", () =>
      losers.every(({ election }) => {
        return election.controller?.term === 2;
      }));
  });

  test("a controller that cannot reach etcd for its lease's time stops, and can win again", async () => {
    const etcd = await start(1);
    const { heard, election, log } = await node(etcd, freshName(), 1);
    await until("it is elected", () => election.term === 1);
    etcd.members[0]?.stop();
    const sinceMs = bunClock.monotonicMs();
    await until("it stops", () => heard.length === 2);
    expect(heard[1]).toBe("lost: it could not renew its lease in etcd for 2 s");
    expect(bunClock.monotonicMs() - sinceMs).toBeLessThan(2500);
    expect(election.term).toBeNull();
    etcd.members[0]?.resume();
    await until("it is elected again", () => election.term === 2);
    expect(await log.append(0, [aloneBroker(1)])).toEqual({ ok: true, position: 1 });
  });

  test("outlives the death of etcd's leader without a change of office", async () => {
    const etcd = await start(3);
    const { heard, election, log } = await node(etcd, freshName(), 1);
    await until("it is elected", () => election.term === 1);
    await (await etcd.leader()).kill();
    expect(await log.append(0, [aloneBroker(1)])).toEqual({ ok: true, position: 1 });
    await new Promise<void>((resolve) => void bunClock.setTimer(3000, resolve));
    expect(heard).toEqual(["elected 1"]);
  });
});
