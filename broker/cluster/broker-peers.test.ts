import { expect, test } from "bun:test";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { ConnectionError } from "../../core/connection.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import {
  LEASE_TTL_MS,
  LISTENER,
  type MetadataNode,
  MetadataWorld,
  nodeRecord,
} from "./metadata-node.test-helper.ts";

const SOFTWARE = { clientSoftwareName: "test", clientSoftwareVersion: "1" };

/** Two nodes that know of each other; the first is the controller. */
function two(): { world: MetadataWorld; first: MetadataNode; second: MetadataNode } {
  const world = new MetadataWorld();
  const first = world.start(1);
  world.clock.advance(1000);
  const second = world.start(2);
  expect(world.controller()).toBe(first);
  world.clock.run(first.change(nodeRecord(1), nodeRecord(2)));
  world.clock.advance(1000);
  return { world, first, second };
}

/** The record of a broker that has moved. */
function moved(nodeId: number, host: string): MetadataRecord {
  const endpoints = [{ name: LISTENER, securityProtocol: 0, host, port: 9092 }];
  return { ...nodeRecord(nodeId), endpoints } as MetadataRecord;
}

function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "none", (error: unknown) => {
    if (error instanceof ConnectionError) return error.failure;
    throw error;
  });
}

test("a use of a broker has one connection, which is made anew when it has gone", () => {
  const { world, second: { peers } } = two();
  const connect = (use: string) => world.clock.run(peers.connect(1, use));
  const [one, same] = world.clock.run(Promise.all([peers.connect(1, "a"), peers.connect(1, "a")]));
  expect(same).toBe(one!);
  expect(connect("a")).toBe(one!);
  expect(connect("b")).not.toBe(one!);
  one!.close();
  expect(connect("a")).not.toBe(one!);
});

test("who gives up waiting for a connection does not take it from others", () => {
  const { world, second: { peers } } = two();
  const impatient = new AbortController();
  const given = failure(peers.connect(1, "a", impatient.signal));
  const waited = peers.connect(1, "a");
  impatient.abort(new Error("enough"));
  expect(world.clock.run(given)).toBe("aborted");
  expect(world.clock.run(waited).closed).toBeFalse();
});

test("a connection to where a broker was is closed, and so are those of a broker that stops", () => {
  const { world, first, second: { peers } } = two();
  const before = world.clock.run(peers.connect(1, "a"));
  world.clock.run(first.change(moved(1, "10.0.0.9")));
  world.clock.advance(100);
  expect(before.closed).toBeTrue();
  expect(world.clock.run(failure(peers.connect(7, "a")))).toBe("refused");
  const other = world.clock.run(peers.connect(2, "a"));
  world.clock.run(peers.close());
  expect(other.closed).toBeTrue();
  expect(world.clock.run(failure(peers.connect(2, "a")))).toBe("closed");
});

test("a request to a controller that is cut off goes to the next one as soon as there is one", () => {
  const { world, second } = two();
  world.hosts.cut("10.0.0.1", "10.0.0.2");
  const asked = second.peers.requestController(apiVersions, SOFTWARE, () => false, {
    timeoutMs: 60_000,
  });
  world.clock.advance(1000);
  world.kill(world.nodes[0]!);
  const startMs = world.clock.monotonicMs();
  expect(world.clock.run(asked).errorCode).toBe(0);
  expect(second.election.term).toBe(2);
  expect(world.clock.monotonicMs() - startMs).toBeLessThan(LEASE_TTL_MS + 1000);
});

test("a request that finds no controller goes to the first one that is elected", () => {
  const { world, first, second } = two();
  world.kill(first);
  second.etcdClient.isCut = true;
  world.clock.advance(3 * LEASE_TTL_MS);
  const asked = second.peers.requestController(apiVersions, SOFTWARE, () => false, {
    timeoutMs: 600_000,
  });
  world.clock.advance(30_000);
  second.etcdClient.isCut = false;
  world.until("an election", () => second.election.term !== null);
  expect(world.clock.run(asked, 100).errorCode).toBe(0);
});

test("a request for the controller ends in time, and at once where nobody waits any more", () => {
  const { world, first, second } = two();
  for (const node of [first, second]) node.etcdClient.isCut = true;
  world.clock.advance(3 * LEASE_TTL_MS);
  const impatient = new AbortController();
  let tries = 0;
  const ask = (signal?: AbortSignal) =>
    failure(second.peers.requestController(apiVersions, SOFTWARE, () => ++tries > 0, {
      timeoutMs: 10_000,
      ...(signal && { signal }),
    }));
  const startMs = world.clock.monotonicMs();
  expect(world.clock.run(ask())).toBe("refused");
  expect(world.clock.monotonicMs() - startMs).toBeWithin(9_900, 10_100);
  // It does not ask one that is no controller without a pause.
  expect(tries).toBeWithin(5, 40);
  const asked = ask(impatient.signal);
  world.clock.advance(100);
  impatient.abort(new Error("enough"));
  expect(world.clock.run(asked, 10)).toBe("aborted");
});
