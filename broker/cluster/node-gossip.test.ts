/** Gossip of brokers on the simulated network. */
import { expect, test } from "bun:test";
import { createLogger } from "../../core/logger.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimHosts } from "../../tests/sim/sim-hosts.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { NodeGossip } from "./node-gossip.ts";

const PORT = 19_092;
const SECRET = "0123456789abcdef";

class Scene {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly hosts = new SimHosts(this.clock, this.random);
  readonly lines: string[] = [];
  readonly logger = createLogger({
    level: "info",
    format: "text",
    wallMs: () => 0,
    write: (line) => this.lines.push(line),
  });
  load = 0;

  start(
    id: number,
    { nodeId = id, secrets = [SECRET], join = 1, cluster = "c" }: {
      nodeId?: number;
      secrets?: string[];
      join?: number;
      cluster?: string;
    } = {},
  ): NodeGossip {
    const ip = (number: number) => `10.0.0.${number}`;
    const io = { random: this.random, ...this.hosts.host(ip(id)).start() };
    const at = { host: ip(id), port: PORT };
    return this.clock.run(NodeGossip.start(io, this.logger, {
      nodeId,
      clusterId: "id",
      rack: `r${id}`,
      listeners: [{
        name: "PLAINTEXT",
        bound: { host: ip(id), port: 9092 },
        advertised: { host: `broker${id}`, port: 0 },
      }],
    }, {
      name: cluster,
      quorum: {
        kind: "etcd",
        store: new SimEtcdClient(this.clock, this.random, new SimEtcd(this.clock)),
      },
      host: `machine${id}`,
      secrets,
      gossip: null,
    }, {
      bind: at,
      advertise: at,
      join: [{ host: ip(join), port: PORT }],
      version: "1.2.3",
      loadPercent: () => this.load,
      timings: "lan",
    }));
  }
}

const statesOf = (gossip: NodeGossip) =>
  Object.fromEntries(gossip.members().map(({ nodeId, state }) => [nodeId, state]));

test("brokers tell one another who they are, how busy, and when they go", () => {
  const scene = new Scene();
  const [one, two, three] = [scene.start(1), scene.start(2), scene.start(3, { join: 2 })];
  scene.clock.advance(3000);
  expect(statesOf(one)).toEqual({ 1: "alive", 2: "alive", 3: "alive" });
  expect(one.members().find(({ nodeId }) => nodeId === 3)?.meta).toEqual({
    host: "machine3",
    rack: "r3",
    listeners: [{ name: "PLAINTEXT", host: "broker3", port: 9092 }],
    version: "1.2.3",
    loadPercent: 0,
  });
  scene.load = 47;
  scene.clock.advance(15_000);
  expect(one.members().map(({ meta }) => meta.loadPercent)).toEqual([50, 50, 50]);
  scene.clock.run(three.stop());
  two.close();
  scene.clock.advance(20_000);
  expect(statesOf(one)).toEqual({ 1: "alive", 2: "failed", 3: "left" });
  expect(scene.lines.join("\n")).toMatch(/a member has left.*node=3/);
  expect(scene.lines.join("\n")).toMatch(/a member has failed.*node=2/);
  one.close();
});

test("who has another secret or name is not heard; who has a node id twice is told", () => {
  const scene = new Scene();
  const one = scene.start(1);
  scene.start(2, { secrets: [`${SECRET}-other`] });
  scene.start(3, { cluster: "d" });
  scene.start(4, { nodeId: 1 });
  scene.clock.advance(60_000);
  expect(statesOf(one)).toEqual({ 1: "alive" });
  const log = scene.lines.join("\n");
  expect(log).toContain("cannot join the cluster at 10.0.0.1:19092");
  expect(log).toContain("give all members the same gossip keys");
  expect(log).toContain("give both the same --cluster name");
  expect(log).toMatch(/give this node an id of its own|two members have one node id/);
});

test("the secret changes while all go on: behind the old one, before it, without it", () => {
  const NEW = `${SECRET}-new`;
  const scene = new Scene();
  const one = scene.start(1, { secrets: [SECRET] });
  const two = scene.start(2, { secrets: [SECRET, NEW] });
  scene.clock.advance(3000);
  expect(statesOf(one)).toEqual({ 1: "alive", 2: "alive" });
  one.close();
  scene.hosts.host("10.0.0.1").kill();
  const again = scene.start(1, { secrets: [NEW, SECRET], join: 2 });
  scene.clock.advance(10_000);
  expect(statesOf(again)).toEqual({ 1: "alive", 2: "alive" });
  two.close();
  scene.hosts.host("10.0.0.2").kill();
  scene.start(2, { secrets: [NEW], join: 1 });
  scene.clock.advance(10_000);
  expect(statesOf(again)).toEqual({ 1: "alive", 2: "alive" });
});
