/** How long it takes whole brokers of a simulated cluster to do without one of them, and to have it back. */
import { expect, test } from "bun:test";
// What is loaded later does not come on virtual time.
import "../../broker/cluster/member.ts";
import "../../broker/handlers/cluster-handlers.ts";
import { silentLogger } from "../../core/logger.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { type ClusterSimOptions, drawClusterOptions } from "./cluster-options.ts";
import { ClusterWorld } from "./cluster-world.ts";
import { NO_ETCD_FAULTS } from "./sim-etcd.ts";
import { FAIR } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

const SESSION_MS = 9000;
/** What a client may have to wait for beyond a session, as the README says. */
const BEYOND_MS = 2000;

/** Three brokers, which host each partition, in fair weather. */
class Trio extends ClusterWorld {
  constructor(more: Partial<ClusterSimOptions> = {}) {
    const fixed: Partial<ClusterSimOptions> = {
      brokers: 3,
      replicationFactor: 3,
      minInsync: 2,
      durability: "fsync",
      sessionMs: SESSION_MS,
      leaseTtlMs: 6000,
      restartMs: 500,
      driftPercent: 0,
      weather: FAIR,
      etcdFaults: NO_ETCD_FAULTS,
    };
    super(7, { ...drawClusterOptions(new SimRandom(7)), ...fixed, ...more }, silentLogger);
    for (const node of this.nodes) node.start();
    const isUp = () => this.nodes.every(({ state }) => state === "up");
    this.until("brokers that are up", 10_000, isUp);
    const admin = this.admin();
    const topic = { name: "t", partitions: 3, replicationFactor: 3 };
    this.wait("a topic", 10_000, admin.createTopics([topic]));
    admin.close();
    this.until("leaders", 10_000, () => this.image(this.nodes).length === 3);
  }

  get controller(): ClusterNode {
    return this.pick((node) => node.running?.broker.controller.isActive === true);
  }

  leaderOf(partition: number): ClusterNode {
    const [node = this.nodes[0]] = this.nodes;
    const leader = this.image([node as ClusterNode])[partition]?.leader;
    return this.pick(({ id }) => id === leader);
  }

  pick(isWanted: (node: ClusterNode) => boolean): ClusterNode {
    const node = this.nodes.find(isWanted);
    if (node === undefined) throw new Error(`no such broker: ${this.describe()}`);
    return node;
  }

  /** The partitions, as the first of these brokers that is up knows them. */
  image(nodes: readonly ClusterNode[]) {
    const { running } = nodes.find(({ state }) => state === "up") ?? {};
    return running?.broker.metadata.image.topics.get("t")?.partitions ?? [];
  }

  /** How long it takes until all others know of leaders that are not this broker. */
  msWithout(gone: ClusterNode, limitMs = 60_000): number {
    const others = this.nodes.filter((node) => node !== gone);
    const knows = (node: ClusterNode) =>
      this.image([node]).every(({ leader }) => leader >= 0 && leader !== gone.id);
    const sinceMs = this.clock.monotonicMs();
    while (!others.every(knows)) {
      this.clock.advance(10);
      if (this.clock.monotonicMs() - sinceMs > limitMs) throw new Error(this.describe());
    }
    return this.clock.monotonicMs() - sinceMs;
  }

  /** Waits until everybody is in every ISR. */
  heal(): void {
    const isWhole = () =>
      this.nodes.every(({ state }) => state === "up") &&
      this.image(this.nodes).every(({ isr }) => isr.length === 3);
    this.until("whole ISRs", 60_000, isWhole);
  }
}

test("who is killed is followed within a second, also if it was the controller", () => {
  const world = new Trio();
  world.heal();
  for (let round = 0; round < 4; round++) {
    // Both kinds, whatever they were in the round before.
    const leads = world.leaderOf(round % 3);
    const killed = round % 2 === 0 ? world.controller : leads;
    killed.isHeldDown = true;
    killed.kill();
    expect(world.msWithout(killed)).toBeLessThan(1000);
    killed.isHeldDown = false;
    killed.start();
    world.heal();
  }
}, 60_000);

test("who starts again at once is a member at once, without waiting for its old session", () => {
  const world = new Trio({ restartMs: 30 });
  world.heal();
  const sinceMs = world.clock.monotonicMs();
  world.pick((node) => node !== world.controller).kill();
  world.heal();
  expect(world.clock.monotonicMs() - sinceMs).toBeLessThan(5000);
}, 60_000);

test("who stops in good order is followed before it stops, and is eligible all the time", () => {
  const world = new Trio();
  world.heal();
  for (const node of world.nodes) {
    node.isHeldDown = true;
    node.stop();
    expect(world.msWithout(node)).toBeLessThan(1500);
    world.until("its end", 1000, () => node.state === "down");
    for (const { lastKnownElr = [], leader } of world.image(world.nodes)) {
      expect([lastKnownElr, leader >= 0]).toEqual([[], true]);
    }
    node.isHeldDown = false;
    node.start();
    world.heal();
  }
}, 60_000);

test("who has stopped in good order may lead before the last one is back", () => {
  const world = new Trio();
  world.heal();
  const inOrder = [...world.nodes];
  for (const node of inOrder) {
    node.isHeldDown = true;
    node.stop();
    world.until("its end", 40_000, () => node.state === "down");
  }
  const [, second] = inOrder;
  if (second === undefined) throw new Error("three nodes");
  second.isHeldDown = false;
  second.start();
  const leads = () => world.image([second]).filter(({ leader }) => leader === second.id);
  world.until("its leaderships", 20_000, () => leads().length === 3);
}, 60_000);

test("a whole cluster that is told to stop does so soon, and comes back whole", () => {
  const world = new Trio();
  world.heal();
  for (const node of world.nodes) node.isHeldDown = true;
  for (const node of world.nodes) node.stop();
  world.until("its end", 10_000, () => world.nodes.every(({ state }) => state === "down"));
  for (const node of world.nodes) {
    node.isHeldDown = false;
    node.start();
  }
  world.heal();
}, 60_000);

test("who stands still or loses its power is followed within a session and two seconds", () => {
  const world = new Trio();
  world.heal();
  for (const end of ["stop", "power"] as const) {
    for (const isController of [false, true]) {
      const gone = world.pick((node) => (node === world.controller) === isController);
      gone.isHeldDown = true;
      if (end === "stop") gone.host.stop();
      else gone.cutPower("nothing");
      expect([end, isController, world.msWithout(gone) < SESSION_MS + BEYOND_MS]).toEqual(
        [end, isController, true],
      );
      gone.isHeldDown = false;
      if (end === "stop") gone.host.resume();
      else gone.start();
      world.heal();
    }
  }
}, 60_000);

test("when all lose their power at once, all is there again", () => {
  const world = new Trio();
  world.heal();
  for (const node of world.nodes) node.cutPower("nothing");
  world.until(
    "brokers that are up",
    60_000,
    () => world.nodes.every(({ state }) => state === "up"),
  );
  world.heal();
}, 60_000);
