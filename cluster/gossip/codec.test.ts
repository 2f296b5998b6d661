import { expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import {
  decodeMeta,
  decodePacket,
  encodeMessage,
  encodeMeta,
  encodePacket,
  INCARNATION_MAX,
  type Message,
  META_BYTES_MAX,
  NODE_ID_MAX,
} from "./codec.ts";
import { decodeFrame, encodeFrame, entriesFrames, type Frame } from "./frames.ts";
import type { MemberMeta } from "./member.ts";

const META: MemberMeta = {
  host: "höst-1",
  rack: "a",
  listeners: [{ name: "PLAINTEXT", host: "example.org", port: 9_092 }],
  version: "1.2.3",
  loadPercent: 170,
};
const IDENTITY = {
  nodeId: NODE_ID_MAX,
  incarnation: 1_700_000_000_123,
  address: { host: "2001:db8::1", port: 65_535 },
  metaBytes: encodeMeta(META)!,
};
const MESSAGES: Message[] = [
  { type: "ping", sequence: 0xffff_ffff, target: 3 },
  { type: "pingRequest", sequence: 1, target: 0, address: { host: "10.0.0.1", port: 1 } },
  { type: "ack", sequence: 5 },
  { type: "nack", sequence: 6 },
  { type: "alive", identity: IDENTITY },
  { type: "suspect", nodeId: 1, incarnation: INCARNATION_MAX, from: 2 },
  { type: "failed", nodeId: 1, incarnation: 0, from: 2 },
  { type: "left", nodeId: 7, incarnation: 8 },
];
const FRAMES: Frame[] = [
  {
    type: "hello",
    clusterId: "cluster",
    identity: IDENTITY,
    digests: Uint32Array.from({ length: 32 }, (_, at) => at * 0x0765_4321),
  },
  { type: "refused", reason: "conflict", sentence: "node 3 is elsewhere" },
  {
    type: "welcome",
    identity: IDENTITY,
    buckets: Array.from({ length: 32 }, (_, at) => at % 3 === 0 || at === 31),
  },
  {
    type: "entries",
    isLast: true,
    entries: (["alive", "suspect", "failed", "left"] as const)
      .map((state) => ({ state, identity: IDENTITY, ageMs: 86_400_000 })),
  },
  { type: "done", identity: IDENTITY },
  { type: "ping", sequence: 1, target: 2 },
  { type: "ack", sequence: 3 },
];
const PACKET = encodePacket(9, MESSAGES.map(encodeMessage));

test("messages come out of a packet as they went in", () => {
  expect(decodePacket(PACKET)).toEqual({ sender: 9, messages: MESSAGES });
});

test("frames come out as they went in", () => {
  for (const frame of FRAMES) expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
});

test("metadata comes out as it went in, and within its bounds only", () => {
  expect(decodeMeta(encodeMeta(META)!)).toEqual(META);
  expect(decodeMeta(encodeMeta({ ...META, rack: null })!)?.rack).toBeNull();
  expect(encodeMeta({ ...META, host: "x".repeat(256) })).toBeNull();
  const listener = { name: "L".repeat(50), host: "h".repeat(50), port: 1 };
  expect(encodeMeta({ ...META, listeners: [1, 2, 3, 4].map(() => listener) })!.length)
    .toBeLessThanOrEqual(META_BYTES_MAX);
  expect(encodeMeta({ ...META, listeners: [1, 2, 3, 4, 5].map(() => listener) })).toBeNull();
});

test("what later versions add is skipped in messages, and handed on in metadata", () => {
  const ping = encodeMessage({ type: "ping", sequence: 1, target: 2 });
  const longer = Uint8Array.of(...ping, 77);
  longer[2]!++;
  const unknown = Uint8Array.of(99, 0, 2, 1, 2);
  expect(decodePacket(encodePacket(1, [unknown, longer]))?.messages)
    .toEqual([{ type: "ping", sequence: 1, target: 2 }]);
  const metaBytes = Uint8Array.of(...encodeMeta(META)!, 1, 2, 3);
  expect(decodeMeta(metaBytes)).toEqual(META);
  const packet = decodePacket(encodePacket(1, [
    encodeMessage({ type: "alive", identity: { ...IDENTITY, metaBytes } }),
  ]));
  expect(packet?.messages[0]).toMatchObject({ identity: { metaBytes } });
});

test("a packet that ends early is refused as a whole, wherever it is cut", () => {
  const ends = [4];
  for (const message of MESSAGES) ends.push(ends.at(-1)! + encodeMessage(message).length);
  for (let length = 0; length < PACKET.length; length++) {
    const packet = decodePacket(PACKET.subarray(0, length));
    const whole = ends.indexOf(length);
    if (whole < 0) expect(packet).toBeNull();
    else expect(packet?.messages.length).toBe(whole);
  }
  for (const frame of FRAMES) {
    const bytes = encodeFrame(frame);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeFrame(bytes.subarray(0, length))).toBeNull();
    }
  }
});

test("no bytes make a decoder throw, and what it believes is in range", () => {
  const random = new SimRandom(1);
  const all = [PACKET, ...FRAMES.map(encodeFrame)];
  for (let round = 0; round < 20_000; round++) {
    const bytes = random.chance(20) ? random.bytes(random.below(200)) : random.pick(all).slice();
    for (let flips = random.between(0, 4); flips > 0 && bytes.length > 0; flips--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    for (const message of decodePacket(bytes)?.messages ?? []) {
      const claim = message.type === "alive" ? message.identity : message;
      if (!("incarnation" in claim)) continue;
      expect(claim.incarnation).toBeLessThanOrEqual(INCARNATION_MAX);
      expect(claim.nodeId).toBeLessThanOrEqual(NODE_ID_MAX);
      if (message.type === "alive") decodeMeta(message.identity.metaBytes);
    }
    decodeFrame(bytes);
  }
});

test("many entries go into frames of bounded size, of which the last says so", () => {
  const entries = Array.from({ length: 1_000 }, (_, nodeId) => ({
    state: "alive" as const,
    ageMs: 0,
    identity: { ...IDENTITY, nodeId },
  }));
  const frames = [...entriesFrames(entries)].map(encodeFrame);
  expect(frames.length).toBeGreaterThan(4);
  expect(Math.max(...frames.map(({ length }) => length))).toBeLessThan(32 * 1024 - 100);
  const read = frames.map((frame) => {
    const decoded = decodeFrame(frame);
    return decoded?.type === "entries" ? decoded : { isLast: false, entries: [] };
  });
  expect(read.flatMap((frame) => frame.entries)).toEqual(entries);
  expect(read.map((frame) => frame.isLast)).toEqual([...read.slice(1).map(() => false), true]);
  expect([...entriesFrames([])]).toEqual([{ type: "entries", isLast: true, entries: [] }]);
});
