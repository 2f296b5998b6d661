/**
 * Brokers that join a cluster, stay in it and leave it, on one virtual clock: their lifecycles and
 * controllers over one metadata log, requests coded as on the wire.
 */
import { expect, test } from "bun:test";
import type { ControllerElection, ElectionListener } from "../../cluster/controller-election.ts";
import { MemoryMetadataLog } from "../../cluster/memory-metadata-log.test-helper.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import { errorName } from "../../core/errors.ts";
import { type Clock, type HostPort, sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { alterPartition } from "../../core/protocol/56-alter-partition.ts";
import { allocateProducerIds } from "../../core/protocol/67-allocate-producer-ids.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import type { Broker } from "../broker.ts";
import { allowAll } from "../authorizer.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import type { BrokerConfigName } from "../config/broker-configs.ts";
import { Controller } from "../controller.ts";
import { kafkaUuid } from "../coordinator/group/uuid.ts";
import { SUPPORTED_FEATURES } from "../features.ts";
import type { Handler } from "../handler.ts";
import { clusterHandlers } from "../handlers/cluster-handlers.ts";
import { callHandler } from "../metadata-broker.test-helper.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { accept } from "../outcome.ts";
import { BrokerLifecycle, type BrokerLifecycleOptions } from "./broker-lifecycle.ts";
import type { ClusterServices } from "./cluster-services.ts";
import { ControllerRole, type Follower } from "./controller-role.ts";
import type { ControllerRequestOptions } from "./peers.ts";

const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAEQ";
const TOPIC_ID = "abcdefghijklmnopqrstuA";
const NOWHERE: HostPort = { host: "", port: 0 };

/** An election that the test decides. */
class Ballot implements ControllerElection {
  term: number | null = null;
  listener: ElectionListener | null = null;
  constructor(readonly world: World) {}
  get controller() {
    return null;
  }
  onChange() {
    return () => {};
  }
  campaign(listener: ElectionListener): void {
    this.listener = listener;
  }
  depose(): Promise<void> {
    return Promise.resolve();
  }
  resign(): Promise<void> {
    this.lose();
    return Promise.resolve();
  }
  lose(): void {
    if (this.term === null) return;
    this.term = null;
    this.listener?.onLost("the test says so");
  }
}

/** Reads the log itself, where a broker asks the controller. */
class LogFollower implements Follower {
  #isOn = false;
  #reading: Promise<void> = Promise.resolve();
  constructor(readonly world: World, readonly metadata: MetadataCache) {
    world.log.onAppend(() => this.#read());
  }
  start(): void {
    this.#isOn = true;
    this.#read();
  }
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#reading;
  }
  #read(): void {
    this.#reading = this.#reading.then(async () => {
      const { metadata, world } = this;
      await sleep(world.clock, world.followingMs);
      const read = await world.log.read(metadata.image.position);
      if (!this.#isOn || read.kind === "gone") return;
      for (const { records, position } of read.changes) {
        const { image, delta } = metadata.image.apply(records, position);
        metadata.publish(image, delta);
      }
    });
  }
}

/** One process. */
class Node {
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly ballot: Ballot;
  readonly role: ControllerRole;
  readonly lifecycle: BrokerLifecycle;
  readonly failures: Error[] = [];
  connection = new AbortController();
  isReachable = true;
  /** While set, the process does not run. */
  #stopped: (() => void)[] | null = null;

  constructor(
    readonly world: World,
    readonly id: number,
    more: Partial<BrokerLifecycleOptions> = {},
    configs: Partial<Record<BrokerConfigName, string>> = {},
  ) {
    const clock: Clock = {
      wallMs: () => world.clock.wallMs(),
      monotonicMs: () => world.clock.monotonicMs(),
      setTimer: (delayMs, callback) =>
        world.clock.setTimer(delayMs, () => {
          if (this.#stopped === null) callback();
          else this.#stopped.push(callback);
        }),
    };
    const config = BrokerConfig.of({ "node.id": String(id), ...configs });
    this.metadata = new MetadataCache(config, id);
    const logger = silentLogger;
    const { random, log } = world;
    const { metadata } = this;
    this.controller = Controller.candidate({ clock, random, logger, log, metadata });
    this.ballot = new Ballot(world);
    const onBug = (error: Error) => void this.failures.push(error);
    const incarnationId = kafkaUuid(random);
    const ids = { nodeId: id, clusterId: CLUSTER_ID, incarnationId };
    const common = { clock, logger, config, metadata, ...ids };
    this.role = new ControllerRole({
      ...common,
      controller: this.controller,
      election: this.ballot,
      follower: new LogFollower(world, metadata),
      listener: "PLAINTEXT",
      isRefused: ({ host }) => Promise.resolve(world.refusing.has(host)),
      onBug,
    });
    this.lifecycle = new BrokerLifecycle({
      ...common,
      random,
      host: `host-${id}`,
      features: SUPPORTED_FEATURES,
      peers: {
        requestController: (api, request, isOther, options) =>
          world.ask(this, api, request, isOther, options),
      },
      previousBrokerEpoch: -1,
      logDirs: [],
      offlineDirs: () => [],
      onFailure: onBug,
      ...more,
    });
  }

  get broker(): Broker {
    const cluster: Partial<ClusterServices> = { role: this.role };
    return { cluster: cluster as ClusterServices } as Broker;
  }

  start(host = `10.0.0.${this.id}`): Promise<void> {
    this.role.start({ host, port: 9092 });
    return this.lifecycle.start([{ name: "PLAINTEXT", host, port: 9092, securityProtocol: 0 }]);
  }

  /** Nothing comes of it any more. */
  kill(): void {
    this.isReachable = false;
    this.ballot.lose();
    void this.lifecycle.stop();
    void this.role.stop();
  }

  /** SIGSTOP and SIGCONT. */
  freeze(): void {
    this.#stopped ??= [];
  }
  thaw(): void {
    const waiting = this.#stopped ?? [];
    this.#stopped = null;
    for (const callback of waiting) callback();
  }
  get isFrozen(): boolean {
    return this.#stopped !== null;
  }
}

/** Every process, and the log that they share. */
class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(11);
  readonly log = new MemoryMetadataLog();
  followingMs = 3;
  controller: Node | null = null;
  /** Hosts where nobody listens. */
  readonly refusing = new Set<string>();
  #term = 0;

  /** A request to the controller as it is at each try. */
  async ask<A extends Api>(
    from: Node,
    api: A,
    request: EncodableRequest<A>,
    isOther: (response: ResponseOf<A>) => boolean,
    options: ControllerRequestOptions,
  ): Promise<ResponseOf<A>> {
    const deadlineMs = this.clock.monotonicMs() + options.timeoutMs;
    for (;;) {
      await sleep(this.clock, 1 + this.random.below(3));
      if (options.signal?.aborted === true) {
        throw new ConnectionError("aborted", NOWHERE, "the request was aborted");
      }
      const to = this.controller;
      if (to !== null && to.isReachable && from.isReachable && !to.isFrozen && !from.isFrozen) {
        const response = await this.call(to, api, request, from.connection.signal);
        if (!isOther(response)) return response;
      }
      if (this.clock.monotonicMs() >= deadlineMs) {
        throw new ConnectionError("timeout", NOWHERE, "the cluster has no controller");
      }
      await sleep(this.clock, 40);
    }
  }

  /** One request through the handler of the API. */
  call<A extends Api>(
    to: Node,
    api: A,
    request: EncodableRequest<A>,
    signal?: AbortSignal,
  ): Promise<ResponseOf<A>> {
    const handler = clusterHandlers.find((each) => each.api === api) as Handler<A>;
    return callHandler(to.broker, handler, api.maxVersion, request, allowAll, signal);
  }

  elect(node: Node): void {
    if (this.controller?.isReachable === true) this.controller.ballot.lose();
    this.controller = node;
    node.ballot.term = ++this.#term;
    node.ballot.listener?.onElected(this.#term);
  }

  /** Brokers 1 to `count`, the first of them controller, that are all active. */
  static of(count: number, configs: Partial<Record<BrokerConfigName, string>> = {}) {
    const world = new World();
    const nodes = Array.from({ length: count }, (_, index) => {
      const node = new Node(world, index + 1, {}, configs);
      const started = node.start();
      if (index === 0) world.elect(node);
      world.clock.run(started);
      world.clock.run(node.lifecycle.active);
      return node;
    });
    return { world, nodes };
  }

  /** What is in the log, whatever it is that a controller would write. */
  write(node: Node, ...records: MetadataRecord[]): void {
    const change = node.controller.change(1, () => ({ records, outcomes: [accept(null)] }));
    expect(this.clock.run(change)).toEqual([accept(null)]);
  }

  /** Partition i of the topic has these replicas, all in sync; the first leads. */
  createTopic(node: Node, ...partitions: number[][]): void {
    this.write(
      node,
      { type: "topic", version: 1, name: "t", id: TOPIC_ID },
      {
        ...{ type: "config", version: 1, resourceType: "topic", resourceName: "t" },
        ...{ name: "min.insync.replicas", value: "2" },
      },
      ...partitions.map((replicas, partition): MetadataRecord => ({
        ...{ type: "partition", version: 1, topicId: TOPIC_ID, partition, replicas },
        ...{ isr: replicas, leader: replicas[0] ?? -1, leaderEpoch: 0, partitionEpoch: 0 },
      })),
    );
  }
}

const states = ({ metadata }: Node) =>
  [...metadata.image.brokers.values()].map(({ brokerId, state }) => `${brokerId} ${state}`);
const partitions = ({ metadata }: Node) =>
  metadata.image.topics.get("t")?.partitions.map(({ leader, isr, elr = [] }) => [leader, isr, elr]);
const get = (nodes: readonly Node[], index: number): Node => {
  const node = nodes[index];
  if (node === undefined) throw new Error("there is no such node");
  return node;
};

/** The error that the promise is rejected with. */
function refusal(world: World, promise: Promise<unknown>, limitMs?: number): string {
  const outcome = promise.then(() => "accepted", (error: unknown) => error);
  const error = world.clock.run(outcome, limitMs);
  return error instanceof OperatorError ? error.message : String(error);
}

test("brokers join, are active at once, and stay so", () => {
  const { world, nodes } = World.of(3);
  expect(world.clock.monotonicMs()).toBeLessThan(1000);
  const [first] = nodes.map(({ metadata }) => metadata.image.brokers.get(3));
  expect(first).toMatchObject({ host: "host-3", state: "active", rack: null });
  expect(first?.endpoints).toMatchObject([{ host: "10.0.0.3", port: 9092 }]);
  const { position } = get(nodes, 0).metadata.image;
  world.clock.advance(600_000);
  for (const node of nodes) {
    expect(states(node)).toEqual(["1 active", "2 active", "3 active"]);
    expect(node.failures).toEqual([]);
    expect(node.lifecycle.brokerEpoch()).toBe(node.metadata.image.brokers.get(node.id)?.epoch ?? 0);
  }
  expect(get(nodes, 0).metadata.image.position).toBe(position);
});

test("a broker does not serve before it is prepared", () => {
  const { world, nodes } = World.of(1);
  let finish = () => {};
  const prepare = () => new Promise<void>((resolve) => finish = resolve);
  const node = new Node(world, 2, { prepare });
  world.clock.run(node.start());
  world.clock.run(node.lifecycle.caughtUp);
  world.clock.advance(60_000);
  expect(states(get(nodes, 0))).toEqual(["1 active", "2 fenced"]);
  finish();
  world.clock.run(node.lifecycle.active, 1000);
  expect(node.lifecycle.isActive).toBe(true);
});

test("who is silent for a session is fenced, and is a member again when it is heard", () => {
  const { world, nodes } = World.of(3);
  const [one, two] = [get(nodes, 0), get(nodes, 1)];
  world.createTopic(one, [2, 1, 3], [2]);
  two.isReachable = false;
  world.clock.advance(6900);
  expect(states(one)).toContain("2 active");
  world.clock.advance(2500);
  expect(states(one)).toContain("2 fenced");
  expect(partitions(one)).toEqual([[1, [1, 3], []], [-1, [], [2]]]);
  world.clock.advance(60_000);
  const epoch = two.lifecycle.brokerEpoch();
  two.isReachable = true;
  world.clock.advance(3000);
  expect(states(one)).toContain("2 active");
  expect(two.lifecycle.brokerEpoch()).toBe(epoch);
  expect(partitions(one)).toEqual([[1, [1, 3], []], [2, [2], []]]);
});

test("a broker leaves in good order: others lead, all know, then it goes, and it may come back", () => {
  const { world, nodes } = World.of(3);
  const [one, two, three] = [get(nodes, 0), get(nodes, 1), get(nodes, 2)];
  world.createTopic(one, [2, 1, 3], [2, 3], [2]);
  world.followingMs = 1500;
  const beganMs = world.clock.monotonicMs();
  const leaving = two.lifecycle.shutDown(30_000);
  world.clock.advance(1000);
  expect(states(one)).toContain("2 stopping");
  expect(partitions(one)).toEqual([[1, [1, 3], []], [3, [3], [2]], [-1, [], [2]]]);
  expect(world.clock.run(leaving)).toBe(true);
  // The third broker had to hear of it, and to tell.
  expect(partitions(three)).toEqual(partitions(one));
  expect(world.clock.monotonicMs() - beganMs).toBeLessThan(4000);
  expect(states(one)).toContain("2 fenced");
  const previousBrokerEpoch = two.lifecycle.brokerEpoch();
  two.kill();
  world.followingMs = 3;
  const back = new Node(world, 2, { previousBrokerEpoch });
  world.clock.run(back.start(), 500);
  world.clock.run(back.lifecycle.active, 1000);
  expect(partitions(one)).toEqual([[1, [1, 3], []], [3, [3], [2]], [2, [2], []]]);
});

test("a broker that cannot leave in good order goes in time", () => {
  const { world, nodes } = World.of(2);
  const two = get(nodes, 1);
  get(nodes, 0).isReachable = false;
  const beganMs = world.clock.monotonicMs();
  expect(world.clock.run(two.lifecycle.shutDown(5000))).toBe(false);
  expect(world.clock.monotonicMs() - beganMs).toBeWithin(5000, 5100);
});

test("a killed broker that starts again waits for the old session, and may have lost its end", () => {
  const { world, nodes } = World.of(3);
  const one = get(nodes, 0);
  world.createTopic(one, [2, 3], [2, 1, 3]);
  get(nodes, 1).kill();
  get(nodes, 2).kill();
  world.clock.advance(1000);
  const back = new Node(world, 2);
  world.clock.run(back.start(), 10_000);
  expect(world.clock.monotonicMs()).toBeGreaterThan(8000);
  world.clock.run(back.lifecycle.active, 1000);
  world.clock.advance(10_000);
  expect(states(one)).toEqual(["1 active", "2 active", "3 fenced"]);
  // The first partition needs the third broker, which has everything as far as anybody knows.
  expect(partitions(one)).toEqual([[-1, [], [3]], [1, [1], [3]]]);
});

test("who is seen to be gone is fenced at once, and may begin anew at once", () => {
  const { world, nodes } = World.of(4);
  const [one, two, three, four] = nodes;
  if (!one || !two || !three || !four) throw new Error("four nodes");
  world.createTopic(one, [2, 3], [3, 2], [4, 2]);
  // A connection that breaks says nothing by itself.
  three.connection.abort();
  three.connection = new AbortController();
  world.refusing.add("10.0.0.2");
  two.kill();
  two.connection.abort();
  world.clock.advance(100);
  expect(states(one)).toEqual(["1 active", "2 fenced", "3 active", "4 active"]);
  expect(partitions(one)).toEqual([[3, [3], [2]], [3, [3], [2]], [4, [4], [2]]]);
  // This one was so quick that its port was never seen to refuse.
  four.kill();
  four.connection.abort();
  world.clock.advance(100);
  expect(states(one)).toContain("4 active");
  const back = new Node(world, 4);
  world.clock.run(back.start(), 100);
  world.clock.run(back.lifecycle.active, 1000);
  // The next controller looks for itself.
  world.refusing.add("10.0.0.1");
  one.kill();
  world.elect(three);
  world.clock.advance(100);
  expect(states(three)).toEqual(["1 fenced", "2 fenced", "3 active", "4 active"]);
});

test("a broker that becomes the controller of itself does not wait for what it was before", () => {
  const { world, nodes } = World.of(1);
  get(nodes, 0).kill();
  const again = new Node(world, 1);
  const started = again.start();
  world.elect(again);
  world.clock.run(started, 1000);
  world.clock.run(again.lifecycle.active, 1000);
});

test("two processes with one id: the second is told, the first goes on", () => {
  const { world, nodes } = World.of(2);
  const again = new Node(world, 2);
  expect(refusal(world, again.start())).toBe(
    "broker 2 cannot join the cluster: Another process is registered as broker 2 " +
      "(at 10.0.0.2:9092), and was heard of within its session: " +
      "give one of the two another node.id, or stop it",
  );
  expect(states(get(nodes, 0))).toEqual(["1 active", "2 active"]);
  expect(get(nodes, 1).failures).toEqual([]);
});

test("who does not belong here is told so at once", () => {
  const { world } = World.of(1);
  const beganMs = world.clock.monotonicMs();
  const other = new Node(world, 2, { clusterId: "AAAAAAAAAAAAAAAAAAAAIg" });
  expect(refusal(world, other.start())).toContain("This is the cluster AAAAAAAAAAAAAAAAAAAAEQ");
  const local = new Node(world, 3);
  expect(refusal(world, local.start("localhost"))).toContain("advertises localhost for PLAINTEXT");
  const nowhere = new Node(world, 4);
  expect(refusal(world, nowhere.start("0.0.0.0"))).toContain("Nobody can connect to 0.0.0.0");
  expect(world.clock.monotonicMs() - beganMs).toBeLessThan(1000);
});

test("without a controller a broker gives up in time, and says why", () => {
  const world = new World();
  const node = new Node(world, 1);
  const message = refusal(world, node.start());
  expect(message).toContain("broker 1 could not join the cluster in time: the cluster has no cont");
  expect(Math.round(world.clock.monotonicMs() / 1000)).toBe(60);
});

test("another controller goes on: nobody is fenced but who is really gone", () => {
  const { world, nodes } = World.of(4);
  const [one, two, three] = [get(nodes, 0), get(nodes, 1), get(nodes, 2)];
  world.createTopic(one, [1, 3], [4, 3], [3, 4]);
  one.kill();
  get(nodes, 3).kill();
  world.clock.advance(3000);
  world.elect(two);
  world.clock.advance(8000);
  expect(states(two)).toEqual(["1 active", "2 active", "3 active", "4 active"]);
  world.clock.advance(2000);
  expect(states(two)).toEqual(["1 fenced", "2 active", "3 active", "4 fenced"]);
  expect(partitions(three)).toEqual([[3, [3], [1]], [3, [3], [4]], [3, [3], [4]]]);
  for (const { failures } of nodes) expect(failures).toEqual([]);
});

test("a broker that stops is told so by the next controller", () => {
  const { world, nodes } = World.of(3);
  const [one, two, three] = [get(nodes, 0), get(nodes, 1), get(nodes, 2)];
  world.createTopic(one, [3, 2]);
  world.followingMs = 1000;
  const leaving = three.lifecycle.shutDown(30_000);
  world.clock.advance(500);
  expect(states(one)).toContain("3 stopping");
  world.clock.advance(700);
  one.kill();
  world.elect(two);
  expect(world.clock.run(leaving)).toBe(true);
  expect(partitions(two)).toEqual([[2, [2], [3]]]);
});

test("without a metadata log nobody is fenced wrongly, and who is gone is fenced afterwards", () => {
  const { world, nodes } = World.of(3);
  const one = get(nodes, 0);
  world.log.failure = "etcd has no quorum";
  get(nodes, 2).kill();
  world.clock.advance(60_000);
  expect(states(one)).toEqual(["1 active", "2 active", "3 active"]);
  world.log.failure = null;
  world.clock.advance(1100);
  expect(states(one)).toEqual(["1 active", "2 active", "3 fenced"]);
});

test("a controller that did not run for a while blames nobody", () => {
  const { world, nodes } = World.of(3);
  const one = get(nodes, 0);
  world.clock.advance(1000);
  const { endPosition } = world.log;
  one.freeze();
  world.clock.advance(60_000);
  one.thaw();
  world.clock.advance(20_000);
  expect(states(one)).toEqual(["1 active", "2 active", "3 active"]);
  expect(world.log.endPosition).toBe(endPosition);
});

test("a broker that was unregistered registers again, with another epoch", () => {
  const { world, nodes } = World.of(2);
  const [one, two] = [get(nodes, 0), get(nodes, 1)];
  const before = two.lifecycle.brokerEpoch();
  world.write(one, { type: "remove-broker", version: 1, brokerId: 2 });
  world.clock.advance(3000);
  expect(states(one)).toEqual(["1 active", "2 active"]);
  expect(two.lifecycle.brokerEpoch()).toBeGreaterThan(before);
});

test("a broker whose storage has failed gives up what it leads", () => {
  const { world, nodes } = World.of(2);
  const one = get(nodes, 0);
  world.createTopic(one, [2, 1]);
  get(nodes, 1).lifecycle.fence();
  world.clock.advance(100);
  expect(states(one)).toEqual(["1 active", "2 fenced"]);
  expect(partitions(one)).toEqual([[1, [1], [2]]]);
});

test("leaders change ISRs and get producer ids by their present epoch only", () => {
  const { world, nodes } = World.of(3);
  const [one, two] = [get(nodes, 0), get(nodes, 1)];
  world.createTopic(one, [2, 1, 3], [1, 2]);
  const epochs = nodes.map(({ lifecycle }) => BigInt(lifecycle.brokerEpoch()));
  const propose = (brokerEpoch: bigint, isr: readonly [number, bigint][], to = one) =>
    world.clock.run(world.call(to, alterPartition, {
      brokerId: 2,
      brokerEpoch,
      topics: [{
        topicId: TOPIC_ID,
        partitions: [0, 1].map((partitionIndex) => ({
          ...{ partitionIndex, leaderEpoch: 0, partitionEpoch: 0 },
          newIsrWithEpochs: isr.map(([brokerId, epoch]) => ({ brokerId, brokerEpoch: epoch })),
        })),
      }],
    }));
  const [, own = 0n, third = 0n] = epochs;
  expect(errorName(propose(own, [], two).errorCode)).toBe("NOT_CONTROLLER");
  expect(errorName(propose(own - 1n, []).errorCode)).toBe("STALE_BROKER_EPOCH");
  const { errorCode, topics } = propose(own, [[2, own], [3, third]]);
  expect(errorCode).toBe(0);
  expect(topics[0]?.partitions).toMatchObject([
    { partitionIndex: 0, errorCode: 0, leaderId: 2, isr: [2, 3], partitionEpoch: 1 },
    { partitionIndex: 1, errorCode: 42 },
  ]);
  expect(partitions(one)).toEqual([[2, [2, 3], []], [1, [1, 2], []]]);
  const ids = (brokerEpoch: bigint) =>
    world.clock.run(world.call(one, allocateProducerIds, { brokerId: 2, brokerEpoch }));
  expect(ids(own)).toMatchObject({ errorCode: 0, producerIdStart: 0n, producerIdLen: 1000 });
  expect(ids(own)).toMatchObject({ errorCode: 0, producerIdStart: 1000n });
  expect(ids(own + 1n)).toMatchObject({ errorCode: 77 });
});

test("a broker says why clients should not count on it: fenced, unheard, stopping", () => {
  const { world, nodes } = World.of(2);
  const [first, second] = [get(nodes, 0), get(nodes, 1)];
  let controller: { nodeId: number; term: number; address: HostPort } | null = null;
  const election = {
    get controller() {
      return controller;
    },
    onChange: () => () => {},
  };
  const node = new Node(world, 3, { election });
  expect(node.lifecycle.trouble()).toMatch(/counts this broker as away \(fenced\)/);
  world.clock.run(node.start());
  world.clock.run(node.lifecycle.active);
  world.clock.advance(60_000);
  expect(node.lifecycle.trouble()).toBeNull();
  // Cut off, but nobody is controller either: all go on from what they have.
  node.isReachable = false;
  world.clock.advance(30_000);
  expect(states(first)).toContain("3 fenced");
  expect(node.lifecycle.trouble()).toBeNull();
  controller = { nodeId: 1, term: 1, address: NOWHERE };
  expect(node.lifecycle.trouble())
    .toMatch(/^the controller, node 1, has not answered for \d+ s: others may lead by now/);
  node.isReachable = true;
  world.clock.advance(30_000);
  expect(node.lifecycle.trouble()).toBeNull();
  expect(second.lifecycle.trouble()).toBeNull();
  const stopping = node.lifecycle.shutDown(10_000);
  expect(node.lifecycle.trouble()).toMatch(/^the broker is stopping/);
  world.clock.run(stopping);
});
