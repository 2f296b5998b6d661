/** What happens to the nodes, links, clocks and disks of the simulated cluster, and how it ends. */
import { flipBit } from "./cluster-damage.ts";
import type { ClusterNode } from "./cluster-node.ts";
import type { ClusterFault, ClusterSimOptions } from "./cluster-options.ts";
import { type EtcdFaults, NO_ETCD_FAULTS, type SimEtcd } from "./sim-etcd.ts";
import { FAIR, type SimHosts } from "./sim-hosts.ts";
import type { SimRandom } from "./sim-random.ts";

const FREEZE_MS_MAX = 30_000;
const CUT_MS_MAX = 30_000;
const SLOW_MS_MAX = 30_000;
const OUTAGE_MS_MAX = 30_000;
const FULL_MS_MAX = 20_000;
const DEAD_MS_MAX = 30_000;
/** Beyond an hour brokers refuse the timestamps of clients. */
const JUMP_MS_MAX = 3_000_000;
const ROLL_MS = 8_000;
/** Room that a disk has left when it is to become full. */
const ROOM_BYTES = 3000;

/** What the faults act on. */
export interface FaultyWorld {
  readonly random: SimRandom;
  readonly hosts: SimHosts;
  readonly etcd: SimEtcd;
  readonly etcdFaults: EtcdFaults;
  readonly nodes: readonly ClusterNode[];
  readonly clientIps: readonly string[];
  readonly options: ClusterSimOptions;
  /** Who is controller or leads something: who is worth hitting. */
  favourite(): ClusterNode | undefined;
  /** Whether what is promised of the durability covers that what this node has not synced is lost. */
  mayLosePower(node: ClusterNode): boolean;
  /** Whether it covers that one more process ends. */
  mayEnd(): boolean;
  /** Whether it covers that this node loses of its replicas what it has written long ago. */
  mayLoseReplicas(node: ClusterNode): boolean;
  note(line: string): void;
}

/** See the head of the file. */
export class ClusterFaults {
  readonly #world: FaultyWorld;
  #isHealed = false;

  constructor(world: FaultyWorld) {
    this.#world = world;
  }

  /** One of them, by the weights of the run. */
  happen(): void {
    const { random, options } = this.#world;
    const kinds = Object.entries(options.weights) as [ClusterFault, number][];
    let left = random.below(Math.max(1, kinds.reduce((sum, [, weight]) => sum + weight, 0)));
    for (const [kind, weight] of kinds) {
      left -= weight;
      if (left < 0) return this.#do(kind, this.#pickNode());
    }
  }

  /** Nothing fails any more, and everybody runs. */
  heal(): void {
    const { hosts, nodes, etcd, etcdFaults } = this.#world;
    this.#isHealed = true;
    hosts.heal();
    hosts.weather = FAIR;
    etcd.isDown = false;
    Object.assign(etcdFaults, NO_ETCD_FAULTS);
    for (const node of nodes) {
      node.host.delayMs = 0;
      node.host.wallAheadMs = 0;
      node.host.resume();
      node.cutFromEtcd(false);
      node.disk.faults.maxBytes = Infinity;
      this.#mend(node);
      node.isHeldDown = false;
      node.start();
    }
  }

  #pickNode(): ClusterNode {
    const { random, nodes } = this.#world;
    return (random.chance(50) ? this.#world.favourite() : undefined) ?? random.pick(nodes);
  }

  #do(kind: ClusterFault, node: ClusterNode): void {
    const { random, options, etcd } = this.#world;
    switch (kind) {
      case "kill":
        return this.#world.mayEnd() ? node.kill() : undefined;
      case "powerCut":
        return this.#world.mayLosePower(node)
          ? node.cutPower(random.pick(options.lossModes))
          : undefined;
      case "reset":
        return this.#world.mayLosePower(node)
          ? node.reset(random.pick(options.lossModes))
          : undefined;
      case "restart":
        return this.#world.mayEnd() ? node.stop() : undefined;
      case "rollingRestart":
        return this.#roll();
      case "freeze":
        return this.#freeze(node);
      case "partition":
        return this.#partition();
      case "cutOneWay":
        return this.#cutOneWay(node);
      case "strand":
        return this.#strand(node);
      case "slowNode":
        return this.#slow(node);
      case "clockJump":
        this.#note(`the clock of ${node.id} jumps`);
        node.host.wallAheadMs = random.between(-JUMP_MS_MAX, JUMP_MS_MAX);
        return;
      case "fullDisk":
        return this.#world.mayEnd() ? this.#fill(node) : undefined;
      case "deadDir":
        return this.#world.mayEnd() ? this.#breakDir(node) : undefined;
      case "lostDir":
        return this.#world.mayLoseReplicas(node) ? this.#loseDir(node) : undefined;
      case "flippedBit":
        return this.#flipBit();
      case "join":
        return this.#join();
      case "etcdCut":
        return this.#cutEtcd(node);
      case "etcdOutage":
        return this.#etcdOutage();
      case "etcdCompact":
        return etcd.compact();
    }
  }

  #note(line: string): void {
    this.#world.note(line);
  }

  /** Ends it after a while, unless all has ended before. */
  #after(mostMs: number, end: () => void): void {
    const { hosts, random } = this.#world;
    hosts.clock.setTimer(random.below(mostMs), () => {
      if (!this.#isHealed) end();
    });
  }

  #join(): void {
    const next = this.#world.nodes.find(({ isHeldDown }) => isHeldDown);
    if (next === undefined) return;
    this.#note(`broker ${next.id} joins`);
    next.isHeldDown = false;
    next.start();
  }

  #roll(): void {
    const { hosts, nodes } = this.#world;
    this.#note("rolling restart");
    nodes.forEach((node, turn) => {
      hosts.clock.setTimer(turn * ROLL_MS, () => {
        if (!this.#isHealed && this.#world.mayEnd()) node.stop();
      });
    });
  }

  #freeze(node: ClusterNode): void {
    if (node.state === "down") return;
    this.#note(`broker ${node.id} is stopped`);
    node.host.stop();
    this.#after(FREEZE_MS_MAX, () => {
      this.#note(`broker ${node.id} goes on`);
      node.host.resume();
    });
  }

  #partition(): void {
    const { hosts, random, nodes, clientIps } = this.#world;
    const ips = [...nodes.map(({ host }) => host.ip), ...clientIps];
    const sides = new Map(ips.map((ip) => [ip, random.below(2)]));
    const isEtcdReached = (node: ClusterNode) => sides.get(node.host.ip) === 0;
    this.#note(`a partition: ${JSON.stringify(Object.fromEntries(sides))}`);
    hosts.partition(sides);
    const cutsEtcd = random.chance(50);
    if (cutsEtcd) { for (const node of nodes) node.cutFromEtcd(!isEtcdReached(node)); }
    this.#after(CUT_MS_MAX, () => {
      this.#note("the partition is over");
      hosts.heal();
      for (const node of nodes) node.cutFromEtcd(false);
    });
  }

  #cutOneWay(node: ClusterNode): void {
    const { hosts, random, nodes } = this.#world;
    const others = nodes.filter((other) => other !== node && random.chance(60));
    const isOut = random.chance(50);
    this.#note(
      `nothing gets ${isOut ? "from" : "to"} ${node.id} ${isOut ? "to" : "from"} ` +
        others.map(({ id }) => id).join(),
    );
    for (const { host } of others) {
      if (isOut) hosts.cut(node.host.ip, host.ip);
      else hosts.cut(host.ip, node.host.ip);
    }
    this.#after(CUT_MS_MAX, () => {
      this.#note("all links work again");
      hosts.heal();
    });
  }

  /** Clients reach it, brokers do not: it goes on as leader, and nobody follows. */
  #strand(node: ClusterNode): void {
    const { hosts, random, nodes } = this.#world;
    this.#note(`broker ${node.id} hears of clients alone`);
    for (const other of nodes) {
      if (other === node) continue;
      hosts.cut(node.host.ip, other.host.ip);
      hosts.cut(other.host.ip, node.host.ip);
    }
    if (random.chance(70)) node.cutFromEtcd(true);
    this.#after(CUT_MS_MAX, () => {
      this.#note("all links work again");
      hosts.heal();
      node.cutFromEtcd(false);
    });
  }

  #slow(node: ClusterNode): void {
    node.host.delayMs = this.#world.random.pick([20, 200, 1000]);
    this.#note(`broker ${node.id} is slow by ${node.host.delayMs} ms`);
    this.#after(SLOW_MS_MAX, () => node.host.delayMs = 0);
  }

  #fill(node: ClusterNode): void {
    this.#note(`the disk of ${node.id} is almost full`);
    node.disk.faults.maxBytes = node.disk.usedBytes() + ROOM_BYTES;
    this.#after(FULL_MS_MAX, () => {
      this.#note(`the disk of ${node.id} has room`);
      node.disk.faults.maxBytes = Infinity;
    });
  }

  /** Nothing can be written to a device, until somebody comes with a screwdriver. */
  #breakDir(node: ClusterNode): void {
    const { random } = this.#world;
    const path = random.pick(node.dataDirs);
    this.#note(`${path} of ${node.id} fails`);
    node.disk.faults.deadPaths.add(path);
    this.#after(DEAD_MS_MAX, () => this.#mend(node));
  }

  #mend(node: ClusterNode): void {
    const { random, options } = this.#world;
    const { deadPaths } = node.disk.faults;
    if (deadPaths.size === 0) return;
    this.#note(`the disks of ${node.id} are mended`);
    node.cutPower(random.pick(options.lossModes));
    deadPaths.clear();
  }

  /** An empty device stands where one was. */
  #loseDir(node: ClusterNode): void {
    const path = this.#world.random.pick(node.dataDirs);
    node.kill();
    node.disk.replaceDevice(path);
    this.#note(`${path} of ${node.id} is empty`);
  }

  /** All in one run are on one broker: the same batch must not be damaged everywhere. */
  #flipBit(): void {
    const { random, nodes } = this.#world;
    const node = nodes.find(({ wasDamaged }) => wasDamaged) ?? this.#pickNode();
    if (!this.#world.mayLoseReplicas(node)) return;
    node.kill();
    const place = flipBit(node, random);
    if (place === null) return;
    node.wasDamaged = true;
    this.#note(`a bit of ${node.id} flips: ${place}`);
  }

  #cutEtcd(node: ClusterNode): void {
    this.#note(`broker ${node.id} does not reach etcd`);
    node.cutFromEtcd(true);
    this.#after(CUT_MS_MAX, () => {
      this.#note(`broker ${node.id} reaches etcd`);
      node.cutFromEtcd(false);
    });
  }

  #etcdOutage(): void {
    const { etcd } = this.#world;
    if (etcd.isDown) return;
    this.#note("etcd is down");
    etcd.isDown = true;
    this.#after(OUTAGE_MS_MAX, () => {
      this.#note("etcd is up");
      etcd.isDown = false;
    });
  }
}
