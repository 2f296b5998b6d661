import { expect, test } from "bun:test";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { silentLogger } from "../../core/logger.ts";
import { aloneBroker } from "../metadata-image.ts";

import { EtcdKeys } from "./etcd-layout.ts";
import type { Fencing } from "./etcd-metadata-log.ts";
import { etcdControllerElection, openEtcdMetadataLog } from "./open-etcd.ts";

const CLUSTER = { cluster: "test", newClusterId: "AAAAAAAAAAAAAAAAAAAAEQ" };
const KEYS = new EtcdKeys(CLUSTER.cluster);
const TTL_MS = 6000;
const LATE_MS = 600_000;

class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly etcd = new SimEtcd(this.clock);

  /** A node that stands for election. `unfenced`: a build whose appends do not compare who is. */
  node(nodeId: number, unfenced = false) {
    const { clock, random, etcd } = this;
    const faults = { ...NO_ETCD_FAULTS };
    const store = new SimEtcdClient(clock, random, etcd, faults);
    const world = { clock, random, logger: silentLogger, store };
    const election = etcdControllerElection(world, CLUSTER.cluster, nodeId, TTL_MS);
    const open: Fencing = {
      fence: () => {
        const fence = election.fence();
        const compare = { target: "create", key: "nobody", revision: 0 } as const;
        return fence && { ...fence, compare };
      },
    };
    const opening = openEtcdMetadataLog(world, CLUSTER, unfenced ? open : election);
    const { log } = clock.run(opening, 10_000);
    const heard: string[] = [];
    election.campaign({
      onElected: (term) => heard.push(`elected ${term}`),
      onLost: (reason) => heard.push(`lost: ${reason}`),
    }, { host: "10.0.0.1", port: nodeId });
    clock.advance(1000);
    return { election, log, heard, store, faults };
  }
}

/** What becomes of an append that is on its way while its controller dies and another is elected. */
function lateAppend(unfenced: boolean): number {
  const world = new World();
  const first = world.node(1, unfenced);
  const second = world.node(2, unfenced);
  expect([first.election.term, second.election.term]).toEqual([1, null]);
  first.faults.delayRequest = 100;
  first.faults.delayMs = LATE_MS;
  void first.log.append(0, [aloneBroker(1)]);
  first.store.isDead = true;
  world.clock.advance(2 * TTL_MS);
  expect(second.election.term).toBe(2);
  world.clock.advance(LATE_MS);
  return second.log.endPosition;
}

test("an append of a controller that another has followed is not taken, however late it comes", () => {
  expect(lateAppend(false)).toBe(0);
});

test("it is the comparison with the office's key that keeps it out", () => {
  expect(lateAppend(true)).toBe(1);
});

test("a dead controller is followed within its lease's time; terms grow", () => {
  const world = new World();
  const nodes = [1, 2, 3].map((id) => world.node(id));
  const [first, second, third] = nodes;
  expect(nodes.map(({ election }) => election.controller)).toEqual(
    nodes.map(() => ({ nodeId: 1, term: 1, address: { host: "10.0.0.1", port: 1 } })),
  );
  first!.store.isDead = true;
  world.clock.advance(TTL_MS + 1000);
  const next = [second, third].find((node) => node?.election.term === 2);
  expect(next).toBeDefined();
  void next?.election.resign();
  world.clock.advance(1000);
  expect([second, third].some((node) => node?.election.term === 3)).toBeTrue();
  expect(next?.heard).toEqual(["elected 2", "lost: it has resigned"]);
});

test("who knows that the controller is gone lets another be elected before its lease ends", () => {
  const world = new World();
  const nodes = [1, 2, 3].map((id) => world.node(id));
  const [first, second, third] = nodes;
  const { controller } = second!.election;
  first!.store.isDead = true;
  // Both have seen it, and one of them is slow.
  void second!.election.depose(controller!);
  world.clock.advance(500);
  void third!.election.depose(controller!);
  world.clock.advance(500);
  expect([second, third].filter((node) => node?.election.term === 2)).toHaveLength(1);
  expect(third!.election.controller?.term).toBe(2);
});

test("a controller that was deposed in error loses the office, and its appends are not taken", () => {
  const world = new World();
  const [first, second] = [world.node(1), world.node(2)];
  void second.election.depose(second.election.controller!);
  void first.election.depose(first.election.controller!);
  world.clock.advance(1000);
  expect(first.heard[0]).toBe("elected 1");
  expect(first.heard[1]).toStartWith("lost: ");
  expect(first.election.controller?.term).toBe(2);
});

test("a controller that is cut off stops before another can be elected", () => {
  const world = new World();
  const [first, second] = [world.node(1), world.node(2)];
  const lostMs: number[] = [];
  first.store.isCut = true;
  while (second.election.term === null) {
    world.clock.advance(10);
    if (first.election.term === null) lostMs.push(world.clock.monotonicMs());
  }
  expect(first.election.term).toBeNull();
  expect(lostMs.length).toBeGreaterThan(0);
  expect(first.heard.at(-1)).toBe("lost: it could not renew its lease in etcd for 6 s");
  first.store.isCut = false;
  world.clock.advance(TTL_MS);
  expect(first.election.controller).toEqual({
    nodeId: 2,
    term: 2,
    address: { host: "10.0.0.1", port: 2 },
  });
});

test("a controller whose key somebody removes loses the office, and stands again", () => {
  const world = new World();
  const { heard } = world.node(1);
  world.etcd.txn({
    compare: [],
    then: [{ type: "delete", key: KEYS.controller }],
    otherwise: [],
  });
  world.clock.advance(1000);
  expect(heard).toEqual([
    "elected 1",
    "lost: another node may have been elected: its key has gone from etcd",
    "elected 2",
  ]);
});
