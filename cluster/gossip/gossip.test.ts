/** What members of a small cluster see of one another, on a simulated network. */
import { expect, test } from "bun:test";
import { addressOf, GossipWorld, metaOf, PORT } from "../../tests/sim/gossip-world.ts";
import { FAIR } from "../../tests/sim/sim-hosts.ts";
import { silentLogger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { encodeMessage, encodeMeta, encodePacket } from "./codec.ts";
import { Envelope } from "./envelope.ts";
import { Gossip } from "./gossip.ts";
import { TIMINGS } from "./timings.ts";

/** How a member sees the cluster: node ids with the first letter of their state. */
function view(world: GossipWorld, index: number): string {
  return world.members[index]!.gossip.members()
    .map(({ nodeId, state }) => `${nodeId}${state[0]}`).sort().join(" ");
}

/** What one has heard, as text. */
function heard(world: GossipWorld, index: number): string[] {
  return world.members[index]!.heard.map(({ event }) => `${event.kind} ${event.member.nodeId}`);
}

async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return "no failure";
}

test("members that join by one of them know all, with what each says of itself", () => {
  const world = new GossipWorld(1);
  world.startCluster(5);
  world.clock.advance(2_000);
  for (let index = 0; index < 5; index++) expect(view(world, index)).toBe("0a 1a 2a 3a 4a");
  expect(world.members[4]!.gossip.members().find(({ nodeId }) => nodeId === 2)).toMatchObject({
    address: addressOf(2),
    meta: metaOf(2),
  });
  expect(heard(world, 1).sort()).toEqual(["joined 0", "joined 2", "joined 3", "joined 4"]);
});

test("a change of metadata, a good-bye and a crash are told apart, and each is told once", () => {
  const world = new GossipWorld(2);
  world.startCluster(5);
  world.clock.advance(2_000);
  world.forget();
  const meta = { ...metaOf(1), loadPercent: 80 };
  world.members[1]!.gossip.updateMeta(meta);
  world.clock.advance(2_000);
  expect(heard(world, 0)).toEqual(["updated 1"]);
  expect(world.members[0]!.gossip.members().find(({ nodeId }) => nodeId === 1)?.meta).toEqual(meta);
  world.clock.run(world.members[3]!.gossip.leave());
  world.members[3]!.gossip.close();
  world.members[4]!.host.cutPower();
  world.clock.advance(15_000);
  for (const index of [0, 1, 2]) {
    expect(view(world, index)).toBe("0a 1a 2a 3l 4f");
    expect(heard(world, index).filter((line) => !line.startsWith("updated")))
      .toEqual(["left 3", "suspected 4", "failed 4"]);
  }
});

test("who comes back after a crash or a good-bye is a member again, also with its clock set back", () => {
  const world = new GossipWorld(3);
  world.startCluster(3);
  world.clock.advance(2_000);
  const [, left, crashed] = world.members;
  world.clock.run(left!.gossip.leave());
  left!.host.kill();
  crashed!.host.kill();
  world.clock.advance(15_000);
  expect(view(world, 0)).toBe("0a 1l 2f");
  for (const member of [left!, crashed!]) {
    member.host.wallAheadMs = -3_600_000;
    world.restart(member);
    world.join(member, world.members[0]!);
  }
  world.clock.advance(2_000);
  for (const index of [0, 1, 2]) expect(view(world, index)).toBe("0a 1a 2a");
});

test("a member that is back before anybody missed it is not reported as gone", () => {
  const world = new GossipWorld(4);
  world.startCluster(3);
  world.clock.advance(2_000);
  world.forget();
  const member = world.members[2]!;
  member.host.kill();
  world.clock.advance(100);
  world.restart(member, { meta: { ...metaOf(2), version: "0.2.0" } });
  world.join(member, world.members[0]!);
  world.clock.advance(5_000);
  expect(heard(world, 0)).toEqual(["updated 2"]);
});

test("a join is tried until somebody is there", () => {
  const world = new GossipWorld(5);
  const member = world.start(0);
  const joining = member.gossip.join([addressOf(1), addressOf(2)]);
  world.clock.advance(8_000);
  world.start(2);
  expect(world.clock.run(joining, 20_000)).toBe(true);
  expect(view(world, 0)).toBe("0a 2a");
});

test("a join can be given up", async () => {
  const world = new GossipWorld(6);
  const abort = new AbortController();
  const joining = world.start(0).gossip.join([addressOf(1)], abort.signal);
  abort.abort(new Error("enough"));
  world.clock.advance(30_000);
  await expect(joining).rejects.toThrow("enough");
  const closed = world.start(2).gossip.join([addressOf(1)]);
  world.members[1]!.gossip.close();
  world.clock.advance(30_000);
  await expect(closed).rejects.toThrow("gossip is closed");
});

test("a member that is told to join itself notices, and joins the others", () => {
  const lines: string[] = [];
  const logger = { ...silentLogger, with: () => logger, info: (line: string) => lines.push(line) };
  const world = new GossipWorld(7, {}, logger);
  const [first, second] = [world.start(0), world.start(1)];
  expect(world.join(first, first)).toBe(false);
  expect(lines).toEqual(["a join address is this member itself"]);
  expect(view(world, 0)).toBe("0a");
  expect(world.join(first, first, second)).toBe(true);
  expect(view(world, 0)).toBe("0a 1a");
});

test("a node id that is taken is refused, once its owner had time to be found dead", async () => {
  const world = new GossipWorld(8);
  world.startCluster(2);
  const twin = { bind: { host: "10.0.0.99", port: PORT } };
  const impostor = new Gossip(
    { ...world.hosts.host("10.0.0.99").start(), random: world.random },
    { nodeId: 1, clusterId: "4L6g3nShT-eMCtK--X86sw", label: "test", meta: metaOf(1), ...twin },
    silentLogger,
  );
  world.clock.run(impostor.start());
  const joining = failure(impostor.join([addressOf(0)]));
  world.clock.advance(60_000);
  expect(await joining).toBe(
    "cannot join the cluster at 10.0.0.0:7946: node 1 is at 10.0.0.1:7946: " +
      "give this node an id of its own, or stop the other one",
  );
  expect(view(world, 0)).toBe("0a 1a");
  // The owner dies: now it is the other's.
  world.members[1]!.host.cutPower();
  const again = impostor.join([addressOf(0)]);
  world.clock.advance(20_000);
  expect(await again).toBe(true);
  const [, other] = world.members[0]!.gossip.members();
  expect(other).toMatchObject({ nodeId: 1, address: { host: "10.0.0.99" }, state: "alive" });
});

test("two that have one node id and meet by a third are reported, and neither takes the other's place", () => {
  const world = new GossipWorld(9);
  world.startCluster(2);
  const [zero, one] = world.members;
  const stranger = world.hosts.host("10.0.0.99").start();
  const claim = encodeMessage({
    type: "alive",
    identity: {
      nodeId: 1,
      incarnation: 2_000_000_000_000,
      address: { host: "10.0.0.99", port: PORT },
      metaBytes: encodeMeta(metaOf(1))!,
    },
  });
  const socket = world.clock.run(stranger.datagrams.bind({ host: "10.0.0.99", port: 1 }, () => {}));
  const packet = encodePacket(1, [claim]);
  const { seal } = world.packetEnvelope();
  for (const member of [zero, one]) socket.send(addressOf(member!.nodeId), seal(packet));
  world.clock.advance(10_000);
  for (const member of [zero, one]) {
    const conflicts = member!.heard.filter(({ event }) => event.kind === "conflict");
    expect(conflicts.map(({ event }) => event)).toMatchObject([
      { member: { nodeId: 1, address: addressOf(1) }, other: { host: "10.0.0.99" } },
    ]);
  }
  expect(view(world, 0)).toBe("0a 1a");
});

test("strangers are refused with what is wrong, and change nothing", async () => {
  const world = new GossipWorld(10, { keys: [new Uint8Array(16).fill(1)] });
  world.startCluster(2);
  const options = [
    [{ clusterId: "another" }, "it is of cluster 4L6g3nShT-eMCtK--X86sw"],
    [{ label: "another" }, "it belongs to another cluster (its --cluster name differs)"],
    [{ keys: [] }, "it has none of our gossip keys, or we have none of its"],
    [{ keys: [new Uint8Array(16)] }, "it has none of our gossip keys, or we have none of its"],
    [{ advertise: { host: "127.0.0.1", port: 0 } }, "127.0.0.1 cannot be reached from other hosts"],
  ] as const;
  for (const [index, [option, sentence]] of options.entries()) {
    const stranger = world.start(10 + index, option);
    const joining = failure(stranger.gossip.join([addressOf(0)]));
    world.clock.advance(1_000);
    expect(await joining).toContain(sentence);
    expect(stranger.gossip.members().length).toBe(1);
    stranger.gossip.close();
  }
  world.clock.advance(20_000);
  expect(view(world, 0)).toBe("0a 1a");
  expect(world.members[0]!.gossip.counters().dropped).toMatchObject({ network: 1, key: 2 });
});

test("a key is changed in a running cluster without anybody missing anybody", () => {
  const [old, fresh] = [new Uint8Array(16).fill(1), new Uint8Array(32).fill(2)];
  const world = new GossipWorld(11, { keys: [old] });
  world.startCluster(4);
  world.clock.advance(2_000);
  world.forget();
  for (const keys of [[old, fresh], [fresh, old], [fresh]]) {
    for (const member of world.members) {
      member.gossip.setKeys(keys);
      world.clock.advance(3_000);
    }
  }
  expect(world.members.flatMap((member) => member.heard)).toEqual([]);
});

test("garbage, old packets and packets of others change nothing", () => {
  const world = new GossipWorld(12, { keys: [new Uint8Array(16).fill(1)] });
  world.startCluster(3);
  const captured: Uint8Array[] = [];
  const wire = world.hosts.host("10.0.0.0");
  const receive = wire.receivers.get(PORT)!;
  wire.receivers.set(PORT, (bytes, from) => {
    captured.push(bytes.slice());
    receive(bytes, from);
  });
  world.clock.advance(20_000);
  world.clock.run(world.members[2]!.gossip.leave());
  world.members[2]!.host.kill();
  world.clock.advance(2_000);
  const before = view(world, 0);
  expect(before).toBe("0a 1a 2l");
  world.forget();
  expect(captured.length).toBeGreaterThan(30);
  const from = addressOf(2);
  const other = new Envelope("packet\0other\0x", [new Uint8Array(16).fill(1)], world.random);
  for (const bytes of captured.splice(0)) {
    receive(bytes, from);
    const touched = bytes.slice();
    touched[world.random.below(touched.length)]! ^= 1;
    receive(touched, from);
    receive(world.random.bytes(world.random.below(200)), from);
    receive(other.seal(encodePacket(1, [])), from);
    receive(bytes.subarray(0, world.random.below(bytes.length)), from);
  }
  world.clock.advance(20_000);
  expect(view(world, 0)).toBe(before);
  expect(world.members.slice(0, 2).flatMap((member) => member.heard)).toEqual([]);
  const { dropped } = world.members[0]!.gossip.counters();
  expect(dropped.replayed).toBeGreaterThan(30);
  expect(dropped.network).toBeGreaterThan(30);
  expect(dropped.key).toBeGreaterThan(10);
  expect(dropped.malformed).toBeGreaterThan(30);
});

test("no packet is larger than what any path takes whole, however much there is to tell", () => {
  const world = new GossipWorld(13, { keys: [new Uint8Array(32)] });
  let largest = 0;
  const listener = { name: "L".repeat(50), host: "h".repeat(50), port: 1 };
  for (let nodeId = 0; nodeId < 30; nodeId++) {
    const host = `host-${nodeId}`;
    world.start(nodeId, { meta: { ...metaOf(nodeId), host, listeners: [listener, listener] } });
  }
  const wire = world.hosts.host("10.0.0.3");
  const receive = wire.receivers.get(PORT)!;
  wire.receivers.set(PORT, (bytes, from) => {
    largest = Math.max(largest, bytes.length);
    receive(bytes, from);
  });
  for (const member of world.members.slice(1)) world.join(member, world.members[0]!);
  world.clock.advance(5_000);
  expect(largest).toBeGreaterThan(1_000);
  expect(largest).toBeLessThanOrEqual(1_400);
  expect(world.members.map((member) => member.gossip.members().length)).toEqual(
    world.members.map(() => 30),
  );
});

test("members that agree compare little, however many they are", () => {
  const world = new GossipWorld(18);
  world.startCluster(40);
  world.clock.advance(120_000);
  const totals = () => {
    const all = world.members.map(({ gossip }) => gossip.counters());
    const sum = (of: (one: (typeof all)[number]) => number) =>
      all.reduce((total, one) => total + of(one), 0);
    return {
      bytes: sum((one) => one.streamBytesSent),
      exchanges: sum((one) => one.exchanges - one.failedExchanges),
    };
  };
  const before = totals();
  world.clock.advance(120_000);
  const after = totals();
  const exchanges = after.exchanges - before.exchanges;
  expect(exchanges).toBeGreaterThan(40);
  expect((after.bytes - before.bytes) / exchanges).toBeLessThan(700);
});

test("the failed are forgotten in their time, and those who left in theirs", () => {
  const timings = { ...TIMINGS.default, keepLeftMs: 600_000, keepFailedMs: 1_800_000 };
  const world = new GossipWorld(14, { timings });
  world.startCluster(4);
  world.clock.run(world.members[2]!.gossip.leave());
  for (const index of [2, 3]) world.members[index]!.host.kill();
  for (const [minutes, expected] of [[9, "0a 1a 2l 3f"], [3, "0a 1a 3f"], [20, "0a 1a"]] as const) {
    world.clock.advance(minutes * 60_000);
    expect(view(world, 0)).toBe(expected);
  }
});

test("more members than the bound are not taken in", () => {
  const world = new GossipWorld(15, { membersMax: 3 });
  world.startCluster(6);
  world.clock.advance(5_000);
  expect(world.members[0]!.gossip.members().length).toBe(4);
  expect(world.members[0]!.gossip.counters().tooMany).toBeGreaterThan(0);
});

test("options that cannot work are refused in a sentence", () => {
  const world = new GossipWorld(16);
  const start = (options: object) => () => world.start(0, options);
  expect(start({ nodeId: -1 })).toThrow("node id -1 cannot be used");
  expect(start({ bind: { host: "0.0.0.0", port: 1 } })).toThrow("no other member can send to it");
  expect(start({ advertise: { host: "a.example", port: 1 } })).toThrow("it is no IP address");
  expect(start({ keys: [new Uint8Array(3)] })).toThrow("it has 3 bytes");
  expect(start({ meta: { ...metaOf(0), host: "h".repeat(300) } })).toThrow("use shorter names");
  const member = world.start(1);
  expect(() => member.gossip.updateMeta({ ...metaOf(1), version: "v".repeat(600) }))
    .toThrow("use shorter names");
});

test("a packet lost here and there delays news, and nobody is missed", () => {
  const world = new GossipWorld(17);
  world.hosts.weather = { ...FAIR, lossPercent: 10, duplicatePercent: 10, latencyMaxMs: 40 };
  world.startCluster(5);
  world.clock.advance(120_000);
  for (const index of [0, 1, 2, 3, 4]) {
    expect(heard(world, index).filter((line) => line.startsWith("failed"))).toEqual([]);
  }
});
