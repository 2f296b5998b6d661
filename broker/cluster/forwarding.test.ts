/** What is asked of any broker and done by the controller: by clients, and by brokers for themselves. */
import { expect, test } from "bun:test";
import { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { describeQuorum } from "../../core/protocol/55-describe-quorum.ts";
import { FAIR } from "../../tests/sim/sim-hosts.ts";
import { envelope } from "../../core/protocol/58-envelope.ts";
import { encodeRequestFrame, encodeVersioned, joinChunks } from "../../core/protocol/codec.ts";
import { defaultPrincipalData } from "../../core/protocol/records/principal.ts";
import type { Api, EncodableRequest } from "../../core/protocol/schema.ts";
import type { AnyHandler } from "../handler.ts";
import { updateFeatures } from "../../core/protocol/57-update-features.ts";
import type { Authorizer } from "../authorizer.ts";
import { ClusterChanges } from "./cluster-changes.ts";
import {
  LEASE_TTL_MS,
  type MetadataNode,
  MetadataWorld,
  nodeRecord,
} from "./metadata-node.test-helper.ts";

const CLIENT = "10.0.1.1";

/** Three nodes, of which the first is the controller, and all know where the others are. */
function three(
  authorizer?: Authorizer,
  tailor: MetadataWorld["tailor"] = (_, handler) => handler,
): MetadataWorld {
  const world = new MetadataWorld(1, 100, authorizer);
  world.tailor = tailor;
  for (const id of [1, 2, 3]) {
    world.start(id);
    world.clock.advance(1000);
  }
  const controller = world.controller();
  expect(controller.nodeId).toBe(1);
  world.clock.run(controller.change(...[1, 2, 3].map(nodeRecord)));
  world.clock.advance(1000);
  return world;
}

/** A client's connection to a node. */
function client(world: MetadataWorld, nodeId: number): Connection {
  const { clock, network } = world.hosts.host(CLIENT).start();
  const address = { host: `10.0.0.${nodeId}`, port: 9092 };
  return world.clock.run(Connection.open({ clock, network }, address, { clientId: "c" }));
}

function wanted(name: string) {
  const numbers = { numPartitions: 1, replicationFactor: 1 };
  return { topics: [{ name, ...numbers, assignments: [], configs: [] }], timeoutMs: 10_000 };
}

function changesOf({ broker, nodeId, peers }: MetadataNode): ClusterChanges {
  const { io, config, metadata } = broker;
  return new ClusterChanges({ clock: io.clock, config, nodeId, metadata, peers });
}

test("a topic that any broker is asked for is made by the controller", () => {
  const world = three();
  for (const nodeId of [3, 1, 2]) {
    const name = `from-${nodeId}`;
    const connection = client(world, nodeId);
    const { topics } = world.clock.run(connection.request(createTopics, wanted(name)));
    expect(topics.map((topic) => [topic.name, topic.errorCode])).toEqual([[name, Errors.NONE]]);
    expect(world.nodes[nodeId - 1]!.broker.metadata.topic(name)?.id).toBe(topics[0]!.topicId);
    world.clock.advance(100);
    for (const node of world.nodes) {
      expect(node.broker.metadata.topic(name)?.id).toBe(topics[0]!.topicId);
    }
  }
});

test("a change is in force on the broker that was asked before its client is told", () => {
  const world = three();
  world.hosts.weather = { ...FAIR, latencyMaxMs: 300 };
  const connection = client(world, 2);
  for (let i = 0; i < 12; i++) {
    const { topics } = world.clock.run(connection.request(createTopics, wanted(`t${i}`)));
    expect(topics[0]?.errorCode).toBe(Errors.NONE);
    expect(world.nodes[1]!.broker.metadata.topic(`t${i}`)).toBeDefined();
  }
});

test("the controller looks at the rights of the client, at its own address", () => {
  const asked: string[] = [];
  const world = three({
    authorize: (principal, peer, { operation, resourceType, name }) => {
      if (resourceType !== "TOPIC" && operation !== "CREATE") return true;
      asked.push(`${principal.name}@${peer.host} ${operation} ${resourceType} ${name}`);
      return false;
    },
  });
  const connection = client(world, 2);
  const { topics } = world.clock.run(connection.request(createTopics, wanted("secret")));
  expect(topics[0]?.errorCode).toBe(Errors.TOPIC_AUTHORIZATION_FAILED);
  expect(asked).toEqual([
    `ANONYMOUS@${CLIENT} CREATE CLUSTER kafka-cluster`,
    `ANONYMOUS@${CLIENT} CREATE TOPIC secret`,
  ]);
});

test("a request waits for the next controller when that of the moment dies", () => {
  const world = three();
  const connection = client(world, 3);
  world.kill(world.controller());
  const answer = connection.request(createTopics, wanted("late"), { timeoutMs: 60_000 });
  const startMs = world.clock.monotonicMs();
  expect(world.clock.run(answer).topics[0]?.errorCode).toBe(Errors.NONE);
  expect(world.clock.monotonicMs() - startMs).toBeLessThan(2 * LEASE_TTL_MS);
});

test("without a controller the client is told in the time that it gave", () => {
  const world = three();
  for (const node of world.nodes) node.etcdClient.isCut = true;
  world.clock.advance(3 * LEASE_TTL_MS);
  const connection = client(world, 2);
  for (const [timeoutMs, mostMs] of [[5000, 6500], [600_000, 26_000]] as const) {
    const startMs = world.clock.monotonicMs();
    const wish = { ...wanted("never"), timeoutMs };
    const answer = connection.request(createTopics, wish, { timeoutMs: 120_000 });
    expect(world.clock.run(answer).topics[0]?.errorCode).toBe(Errors.REQUEST_TIMED_OUT);
    expect(world.clock.monotonicMs() - startMs).toBeWithin(Math.min(timeoutMs, 25_000), mostMs);
  }
});

/** A request in an envelope to a node; what comes of it. */
function sendEnvelope<A extends Api>(
  world: MetadataWorld,
  nodeId: number,
  api: A,
  request: EncodableRequest<A>,
  changes: { version?: number; principal?: Uint8Array | null; host?: Uint8Array } = {},
) {
  const frame = encodeRequestFrame(
    api,
    api.maxVersion,
    { correlationId: 7, clientId: "c" },
    request,
  );
  const requestData = joinChunks(frame).subarray(4);
  requestData[3] = changes.version ?? api.maxVersion;
  const principal = { type: "User", name: "alice", tokenAuthenticated: false };
  return world.clock.run(
    client(world, nodeId).request(envelope, {
      requestData,
      requestPrincipal: changes.principal === undefined
        ? encodeVersioned(defaultPrincipalData, 0, principal)
        : changes.principal,
      clientHostAddress: changes.host ?? Uint8Array.of(10, 1, 2, 3),
    }),
  );
}

test("an envelope is opened by the controller alone, for what may be passed on alone", () => {
  const world = three();
  const topic = wanted("a");
  const opened = sendEnvelope(world, 1, createTopics, topic);
  expect(opened.errorCode).toBe(Errors.NONE);
  expect(opened.responseData?.subarray(0, 4)).toEqual(Uint8Array.of(0, 0, 0, 7));
  const { errorCode } = sendEnvelope(world, 2, createTopics, topic);
  expect(errorCode).toBe(Errors.NOT_CONTROLLER);
  const question = { topics: [] };
  expect(sendEnvelope(world, 2, describeQuorum, question).errorCode).toBe(Errors.NOT_CONTROLLER);
  expect(sendEnvelope(world, 1, describeQuorum, question).errorCode).toBe(Errors.NONE);
  const other = { topics: null };
  expect(sendEnvelope(world, 1, metadata, other).errorCode).toBe(Errors.INVALID_REQUEST);
  const garbage = { principal: Uint8Array.of(9, 9) };
  for (const each of [garbage, { principal: null }]) {
    expect(sendEnvelope(world, 1, createTopics, topic, each).errorCode)
      .toBe(Errors.PRINCIPAL_DESERIALIZATION_FAILURE);
  }
  expect(sendEnvelope(world, 1, createTopics, topic, { version: 99 }).errorCode)
    .toBe(Errors.UNSUPPORTED_VERSION);
  const noAddress = { host: Uint8Array.of(1) };
  expect(sendEnvelope(world, 1, createTopics, topic, noAddress).errorCode)
    .toBe(Errors.INVALID_REQUEST);
});

test("what a broker passes on it offers in versions that the controller serves, too", () => {
  const old = (handler: AnyHandler) => {
    if (handler.api.key === updateFeatures.key) return null;
    return handler.api.key === createTopics.key ? { ...handler, maxVersion: 5 } : handler;
  };
  const world = three(undefined, (nodeId, handler) => nodeId === 1 ? old(handler) : handler);
  const { served } = client(world, 2);
  expect(served.get(createTopics.key)).toEqual({ min: 2, max: 5 });
  expect(served.has(updateFeatures.key)).toBeFalse();
  expect(served.get(metadata.key)?.max).toBe(metadata.maxVersion);
});

test("an envelope needs the rights of a broker", () => {
  const world = three({
    authorize: (_principal, _peer, { operation }) => operation !== "CLUSTER_ACTION",
  });
  const { errorCode } = sendEnvelope(world, 1, createTopics, wanted("a"));
  expect(errorCode).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
});

test("what a broker has made for itself is in force on it when it is told", () => {
  const world = three();
  const [, second, third] = world.nodes;
  const asked = [third!, third!, second!].map(async (node) => {
    const outcome = await changesOf(node).ensureTopic("auto");
    const value = node.broker.metadata.topic("auto");
    return [outcome, value === undefined ? "nothing" : { ok: true, value }];
  });
  for (const [outcome, there] of world.clock.run(Promise.all(asked))) {
    expect(outcome).toEqual(there!);
  }
  const [refused] = world.clock.run(
    changesOf(second!).createTopics([{ ...wanted("no/slash").topics[0]! }]),
  );
  expect(refused).toMatchObject({ ok: false, error: Errors.INVALID_TOPIC_EXCEPTION });
});

test("an answer that is lost does not undo what was done", () => {
  const world = three();
  const [first, second] = world.nodes;
  world.hosts.cut("10.0.0.1", "10.0.0.2");
  const ensured = changesOf(second!).ensureTopic("twice");
  world.clock.advance(3000);
  world.kill(first!);
  world.hosts.heal();
  expect(world.clock.run(ensured)).toMatchObject({ ok: true, value: { name: "twice" } });
});
