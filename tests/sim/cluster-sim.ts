/**
 * A whole cluster from a seed: brokers with disks, an etcd, and clients that write, read, work in
 * transactions and in a group, while processes die, machines lose power, links break, clocks run
 * apart and disks are full. What clients were told must hold at any moment (`cluster-checks.ts`,
 * `cluster-replicas.ts`). When all is well again, all replicas must come back and everybody go on.
 */
import { Consumer } from "../../client/consumer.ts";
import type { Logger } from "../../core/logger.ts";
import {
  checkAppends,
  checkHandled,
  checkOffsets,
  checkReadings,
  checkTopics,
  checkTransactions,
  type FinalLogs,
} from "./cluster-checks.ts";
import { type Client, Member, Reader, Transactor, Writer } from "./cluster-clients.ts";
import { ClusterFaults } from "./cluster-faults.ts";
import { partitionKey, type Reading, type Sighting } from "./cluster-history.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { type ClusterSimOptions, drawClusterOptions } from "./cluster-options.ts";
import { Operator, type OperatorTask } from "./cluster-operator.ts";
import { Sharer } from "./cluster-sharers.ts";
import { ClusterWorld, RACKS } from "./cluster-world.ts";
import { SimRandom } from "./sim-random.ts";
import { expect } from "./violation.ts";

export const APPENDS = "appends";
export const LISTS = "lists";
const GROUP = "group";
const SHARE_GROUP = "sharers";
const FORM_MS = 60_000;
const HEAL_MS = 180_000;
/** What a failover may take beyond the session of the broker and the lease of the controller. */
const FAILOVER_MS = 20_000;
const STOP_MS = 120_000;
const READ_MS = 60_000;

/** What an operator does at times; nothing else where the run has none. */
const TASKS: readonly OperatorTask[] = [
  "topic",
  "topic",
  "reassign",
  "reassign",
  "elect",
  "cancel",
  "remove",
];

/** See the head of this file. */
export class ClusterSim {
  readonly options: ClusterSimOptions;
  readonly world: ClusterWorld;
  readonly #faults: ClusterFaults;
  #clients: Client[] = [];

  constructor(seed: number, logger: Logger, fixed: Partial<ClusterSimOptions> = {}) {
    this.options = { ...drawClusterOptions(new SimRandom(seed)), ...fixed };
    const { options } = this;
    this.world = new ClusterWorld(seed, options, logger);
    const { random, hosts, etcd, etcdFaults, nodes, clientIps } = this.world;
    this.#faults = new ClusterFaults({
      random,
      hosts,
      etcd,
      etcdFaults,
      nodes,
      clientIps,
      options,
      favourite: () => random.chance(50) ? this.controller() : this.#someLeader(),
      mayLosePower: (node) => this.#mayLosePower(node),
      mayEnd: () => this.#mayEnd(),
      mayLoseReplicas: (node) => this.#mayLoseReplicas(node),
      note: (line) => this.world.note(line),
    });
  }

  get trace(): string[] {
    return this.world.trace;
  }

  run(): void {
    this.form();
    this.startClients();
    const { random, hosts } = this.world;
    hosts.weather = this.options.weather;
    for (let step = 0; step < this.options.steps; step++) {
      if (random.chance(this.options.faultPercent)) this.#faults.happen();
      this.world.advance(random.below(this.options.stepMs * 2) + 1);
    }
    this.heal();
    if (this.options.losesOne) this.loseOne();
    this.stopClients();
    this.check();
  }

  /** The node that is controller, if one knows of it. */
  controller(): ClusterNode | undefined {
    return this.world.nodes.find(({ running }) => running?.broker.controller.isActive === true);
  }

  /** The leader of some partition that clients use. */
  #someLeader(): ClusterNode | undefined {
    const { random, nodes, replicas } = this.world;
    const partitions = [APPENDS, LISTS]
      .flatMap((name) => replicas.newest?.topics.get(name)?.partitions ?? []);
    const leader = partitions.length === 0 ? -1 : random.pick(partitions).leader;
    return nodes.find(({ id }) => id === leader);
  }

  /** All brokers come up, and the topics are there. */
  form(): void {
    const { world, options } = this;
    for (const node of world.nodes.slice(options.begins)) node.isHeldDown = true;
    for (const node of world.nodes) node.start();
    world.until("all brokers are up", FORM_MS, () => this.#areUp());
    const admin = world.admin();
    const topics = [APPENDS, LISTS].map((name) => ({
      name,
      partitions: options.partitions,
      replicationFactor: options.replicationFactor,
    }));
    const create = async () => {
      for (;;) {
        try {
          const made = await admin.createTopics(topics, { timeoutMs: FORM_MS });
          const refused = made.find(({ error }) => error !== null);
          if (refused === undefined) return;
          world.note(`no topic ${refused.name}: ${refused.error?.message}`);
          if (/already exists/.test(refused.error?.message ?? "")) return;
        } catch (error) {
          world.note(`no topics: ${String(error)}`);
        }
        await new Promise<void>((resolve) => world.clock.setTimer(500, resolve));
      }
    };
    world.wait("the topics are made", FORM_MS, create());
    const reset = { name: "share.auto.offset.reset", operation: "set", value: "earliest" } as const;
    const group = { type: "group", name: SHARE_GROUP } as const;
    if (options.sharers > 0) {
      world.wait("a config", FORM_MS, admin.incrementalAlterConfigs(group, [reset]));
    }
    admin.close();
  }

  startClients(): void {
    const { world, options } = this;
    const add = (client: Client) => void this.#clients.push(client);
    for (let n = 0; n < options.writers; n++) {
      add(new Writer(world.clientOptions(`writer${n}`, APPENDS)));
    }
    for (let n = 0; n < options.transactors; n++) {
      add(new Transactor(world.clientOptions(`transactor${n}`, LISTS)));
    }
    for (let n = 0; n < options.members; n++) {
      const protocol = world.random.pick([
        { groupProtocol: "consumer" as const },
        { assignors: ["cooperative-sticky" as const] },
        { assignors: ["range" as const] },
      ]);
      // All of one group speak the same.
      const same = n === 0 ? protocol : this.#protocol;
      this.#protocol = same;
      add(new Member(world.clientOptions(`member${n}`, APPENDS), GROUP, same));
    }
    if (options.hasOperator) {
      const ids = world.nodes.map(({ id }) => id);
      const tasks = TASKS.filter((task) => {
        // With `os` nobody can tell what its machine has kept.
        if (task === "remove") return options.durability === "fsync";
        return options.reassigns || task === "topic";
      });
      const client = world.clientOptions("operator", APPENDS);
      add(new Operator(client, tasks, ids, options.replicationFactor));
    }
    add(new Reader(world.clientOptions("reader", APPENDS), "read_uncommitted"));
    add(new Reader(world.clientOptions("lister", LISTS), "read_committed"));
    for (const rackId of options.hasRacks ? RACKS : []) {
      const client = world.clientOptions(`reader in rack ${rackId}`, APPENDS);
      add(new Reader(client, "read_uncommitted", { rackId }));
    }
    for (let n = 0; n < options.sharers; n++) {
      add(new Sharer(world.clientOptions(`sharer${n}`, APPENDS), SHARE_GROUP));
    }
  }

  #protocol: ConstructorParameters<typeof Member>[2] = {};

  /** All replicas are in sync again, and records get through, without help. */
  heal(): void {
    const { world } = this;
    world.note("all is well");
    // Else partitions would be on their way for ever.
    for (const client of this.#clients) if (client instanceof Operator) client.stop();
    this.#faults.heal();
    world.until(
      "all brokers are up",
      HEAL_MS,
      () => world.nodes.every(({ state }) => state === "up"),
    );
    world.until("all replicas are in sync", HEAL_MS, () => this.#isWhole());
    const acknowledged = () => world.history.appends.filter((each) => each.isAcknowledged).length;
    const before = acknowledged();
    world.until("records are acknowledged", HEAL_MS, () => acknowledged() > before);
    if (this.options.gossips) {
      world.until("all hear of all", HEAL_MS, () => world.nodes.every((node) => this.#hears(node)));
    }
    const { accepted } = world.history;
    const taken = accepted.size;
    if (this.options.sharers > 0) {
      world.until("records are shared", HEAL_MS, () => accepted.size > taken);
    }
    if (this.options.transactors === 0) return;
    const committed = () =>
      world.history.transactions.filter(({ outcome }) => outcome === "committed").length;
    const already = committed();
    world.until("transactions are committed", HEAL_MS, () => committed() > already);
  }

  /** By gossip, of all brokers. */
  #hears({ running }: ClusterNode): boolean {
    const alive = running?.gossip?.members().filter(({ state }) => state === "alive") ?? [];
    return alive.length === this.world.nodes.length;
  }

  /** One broker goes for good: the others take over by themselves, and soon. */
  loseOne(): void {
    const { world, options } = this;
    const lost = this.controller() ?? world.nodes[0]!;
    lost.isHeldDown = true;
    lost.kill();
    const { appends } = world.history;
    const before = appends.length;
    const limitMs = options.sessionMs + options.leaseTtlMs + FAILOVER_MS;
    world.until("every partition takes records without the lost broker", limitMs, () => {
      const later = appends.slice(before).filter(({ isAcknowledged }) => isAcknowledged);
      return new Set(later.map(({ partition }) => partition)).size === options.partitions;
    });
    lost.isHeldDown = false;
    lost.start();
    world.until("all replicas are in sync", HEAL_MS, () => this.#isWhole());
  }

  /**
   * With `os` what was acknowledged may be in the memory of `min.insync.replicas` machines only: one may
   * lose power when all replicas are in sync. Until that is so again no process ends, since nobody can
   * tell whether it has lost something.
   */
  #mayLosePower(node: ClusterNode): boolean {
    return this.options.durability === "fsync" ? this.#mayEnd() : this.#mayLoseReplicas(node);
  }

  /** As for power with `os`, and no other disk may be about to end a process. */
  #mayLoseReplicas(node: ClusterNode): boolean {
    const { minInsync } = this.options;
    const isWell = this.world.nodes.every(({ disk: { faults } }) =>
      faults.deadPaths.size === 0 && faults.maxBytes === Infinity
    );
    if (minInsync < 2 || node.state !== "up" || !isWell || !this.#areUp()) return false;
    // What is damaged elsewhere, and nobody has seen it, has to be on a third one.
    const isDamaged = this.world.nodes.some((other) => other !== node && other.wasDamaged);
    if (!this.#mayEnd() || !this.#isWhole(isDamaged ? 3 : minInsync)) return false;
    this.#lastLoss = { id: node.id, epoch: this.#brokerEpoch(node.id) };
    return true;
  }

  /** All that have joined. */
  #areUp(): boolean {
    return this.world.nodes.every(({ state, isHeldDown }) => isHeldDown || state === "up");
  }

  #mayEnd(): boolean {
    const last = this.#lastLoss;
    if (last === null) return true;
    if (this.#brokerEpoch(last.id) <= last.epoch || !this.#isWhole()) return false;
    this.#lastLoss = null;
    return true;
  }

  #brokerEpoch(id: number): number {
    return this.world.replicas.newest?.brokers.get(id)?.epoch ?? -1;
  }

  /** Who has lost something last, and the epoch of its registration then. */
  #lastLoss: { readonly id: number; readonly epoch: number } | null = null;

  #isWhole(leastReplicas = 1): boolean {
    const topics = [...this.world.replicas.newest?.topics.values() ?? []];
    return topics.every(({ partitions }) =>
      partitions.every(({ leader, isr, replicas, adding = [], removing = [] }) =>
        leader >= 0 && isr.length === replicas.length && isr.length >= leastReplicas &&
        adding.length + removing.length === 0
      )
    );
  }

  stopClients(): void {
    for (const client of this.#clients) client.stop();
    const done = Promise.all(this.#clients.map((client) => client.done));
    this.world.wait("the clients stop", STOP_MS, done);
    this.world.until("high watermarks are at the ends", HEAL_MS, () => this.#isQuiet());
  }

  #isQuiet(): boolean {
    const ends = new Map<string, number>();
    for (const { running } of this.world.nodes) {
      for (const partition of running?.broker.partitions.opened() ?? []) {
        const { topicId, index, logEndOffset, highWatermark } = partition;
        const key = `${topicId}:${index}`;
        const end = ends.get(key) ?? logEndOffset;
        ends.set(key, end);
        if (highWatermark !== logEndOffset || end !== logEndOffset) return false;
      }
    }
    return true;
  }

  check(): void {
    const { history, replicas, nodes } = this.world;
    replicas.checkEqual(nodes);
    const uncommitted = this.#readAll("read_uncommitted");
    const committed = this.#readAll("read_committed");
    const listed = new Set([...uncommitted.keys()].filter((key) => key.startsWith(APPENDS)));
    const appended = new Map([...uncommitted].filter(([key]) => listed.has(key)));
    checkAppends(history.appends, appended);
    checkReadings(history.readings, uncommitted, committed);
    checkTransactions(history.transactions, committed);
    checkOffsets(history.offsets);
    const topics = [...replicas.newest?.topics.values() ?? []].map(({ name }) => name);
    checkTopics(history.topics, new Set(topics));
    const offsets = new Map<string, number>();
    for (const { kind, partition, offset } of history.offsets) {
      if (kind === "committed") {
        offsets.set(partition, Math.max(offsets.get(partition) ?? 0, offset));
      }
    }
    checkHandled(history.handled, offsets, appended);
    const acknowledged = history.appends.filter((each) => each.isAcknowledged).length;
    const count = history.transactions.filter(({ outcome }) => outcome === "committed").length;
    this.world.note(`${acknowledged} records and ${count} transactions were acknowledged`);
    expect(acknowledged > 0, "nothing was acknowledged at all");
  }

  /** What a fresh reader gets of everything. */
  #readAll(isolation: Reading["isolation"]): FinalLogs {
    const { world, options } = this;
    const logs = new Map<string, Sighting[]>();
    for (const topic of [APPENDS, LISTS]) {
      const consumer = new Consumer(world.clientIo(), {
        brokers: world.brokers,
        isolationLevel: isolation,
      });
      const read = async () => {
        const positions = Array.from({ length: options.partitions }, (_, partition) => {
          logs.set(partitionKey(topic, partition), []);
          return { topic, partition, offset: 0n };
        });
        await consumer.assign(positions);
        const left = new Set(positions.map(({ partition }) => partition));
        for (const partition of [...left]) {
          if (this.#endOf(topic, partition) === 0) left.delete(partition);
        }
        while (left.size > 0) {
          const chunk = await consumer.nextChunk();
          if (chunk === null) return;
          const log = logs.get(partitionKey(topic, chunk.partition))!;
          for (const { offset, value } of chunk.records()) {
            const text = new TextDecoder().decode(value ?? undefined).trimEnd();
            log.push({ offset: Number(offset), value: text });
          }
          if (chunk.nextOffset >= this.#endOf(topic, chunk.partition)) left.delete(chunk.partition);
        }
      };
      world.wait(`${topic} is read to its end`, READ_MS, read());
      world.wait("the reader closes", READ_MS, consumer.close());
    }
    return logs;
  }

  #endOf(topic: string, index: number): number {
    for (const { running } of this.world.nodes) {
      const partition = running?.broker.partitions.find(topic, index);
      if (partition !== undefined && typeof partition !== "number") return partition.logEndOffset;
    }
    return 0;
  }
}
