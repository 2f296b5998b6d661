/**
 * The frames of gossip over TCP, before they are sealed (`envelope.ts`); on the wire each is
 * `u32 length` and the sealed bytes. Fields as in `codec.ts`.
 *
 *     1 hello    text cluster id, identity of the caller, 32 × u32 digests of the buckets
 *     2 refused  u8 reason, text sentence
 *     3 welcome  identity of the callee, u32 buckets that differ, as bits from the lowest
 *     4 entries  u8 1 in the last one, u16 count, each: u8 state, u32 seconds since it has
 *                failed or left, identity
 *     5 done     identity of the callee, as it is when it has taken in what the caller knows
 *     6 ping     u32 sequence, u32 node id that is meant
 *     7 ack      u32 sequence
 *
 * A state exchange (SWIM calls it push/pull; the digests are Dynamo's anti-entropy): hello →, ←
 * welcome, and unless nothing differs ← entries … → entries … ← done. So members that agree, which
 * is the rule, exchange some 400 bytes, however many they are.
 *
 * Who cannot open the first frame answers with four bytes that are not sealed, so that the other side
 * can say what is wrong: `u8 0x6b, u8 1, u8 2, u8 reason`.
 */
import { unreachable } from "../../core/assert.ts";
import { ByteReader, ByteWriter, decodeOrNull, MalformedError } from "./bytes.ts";
import { type Identity, readIdentity, writeIdentity } from "./codec.ts";
import type { MemberState } from "./member.ts";
import { BUCKETS } from "./member-table.ts";
import type { StateEntry } from "./swim.ts";

/** A sealed frame has at most so many bytes. */
export const FRAME_BYTES_MAX = 32 * 1024;
/** Entries are put into one frame up to about so many bytes. */
const ENTRIES_BYTES = 16 * 1024;

/**
 * Why a state exchange is refused. `self`: the caller called itself. `conflict`: another member has
 * its node id. `address`: its address cannot be reached from here. The others: it belongs to another
 * cluster or network, has no key that fits, or is of an incompatible version.
 */
export type RefusalReason =
  | "self"
  | "conflict"
  | "address"
  | "cluster"
  | "network"
  | "key"
  | "version";

const REASONS: readonly RefusalReason[] = [
  "self",
  "conflict",
  "address",
  "cluster",
  "network",
  "key",
  "version",
];
const STATES: readonly MemberState[] = ["alive", "suspect", "failed", "left"];

/** A frame; see the head of this file. */
export type Frame =
  | {
    readonly type: "hello";
    readonly clusterId: string;
    readonly identity: Identity;
    readonly digests: Uint32Array;
  }
  | { readonly type: "refused"; readonly reason: RefusalReason; readonly sentence: string }
  | { readonly type: "welcome"; readonly identity: Identity; readonly buckets: readonly boolean[] }
  | { readonly type: "entries"; readonly isLast: boolean; readonly entries: readonly StateEntry[] }
  | { readonly type: "done"; readonly identity: Identity }
  | { readonly type: "ping"; readonly sequence: number; readonly target: number }
  | { readonly type: "ack"; readonly sequence: number };

/** Writes a frame. */
export function encodeFrame(frame: Frame): Uint8Array {
  const out = new ByteWriter();
  switch (frame.type) {
    case "hello":
      out.u8(1);
      out.text(frame.clusterId);
      writeIdentity(out, frame.identity);
      for (const digest of frame.digests) out.u32(digest);
      break;
    case "refused":
      out.u8(2);
      out.u8(REASONS.indexOf(frame.reason));
      out.text(frame.sentence.slice(0, 80));
      break;
    case "welcome":
      out.u8(3);
      writeIdentity(out, frame.identity);
      out.u32(frame.buckets.reduce((bits, isSet, at) => isSet ? (bits | 1 << at) >>> 0 : bits, 0));
      break;
    case "entries":
      out.u8(4);
      out.u8(frame.isLast ? 1 : 0);
      out.u16(frame.entries.length);
      for (const { state, identity, ageMs } of frame.entries) {
        out.u8(STATES.indexOf(state));
        out.u32(Math.min(0xffff_ffff, Math.floor(ageMs / 1_000)));
        writeIdentity(out, identity);
      }
      break;
    case "done":
      out.u8(5);
      writeIdentity(out, frame.identity);
      break;
    case "ping":
      out.u8(6);
      out.u32(frame.sequence);
      out.u32(frame.target);
      break;
    case "ack":
      out.u8(7);
      out.u32(frame.sequence);
      break;
    default:
      unreachable(frame, "a frame has a type");
  }
  return out.take();
}

/** Reads a frame; null if it is malformed or of an unknown type. */
export function decodeFrame(bytes: Uint8Array): Frame | null {
  return decodeOrNull(() => {
    const reader = new ByteReader(bytes);
    switch (reader.u8()) {
      case 1:
        return {
          type: "hello",
          clusterId: reader.text(),
          identity: readIdentity(reader),
          digests: Uint32Array.from({ length: BUCKETS }, () => reader.u32()),
        };
      case 2:
        return {
          type: "refused",
          reason: itemAt(REASONS, reader.u8()),
          sentence: reader.text(),
        };
      case 3:
        return { type: "welcome", identity: readIdentity(reader), buckets: bits(reader.u32()) };
      case 4:
        return { type: "entries", ...readEntries(reader) };
      case 5:
        return { type: "done", identity: readIdentity(reader) };
      case 6:
        return { type: "ping", sequence: reader.u32(), target: reader.u32() };
      case 7:
        return { type: "ack", sequence: reader.u32() };
      default:
        return null;
    }
  });
}

function readEntries(reader: ByteReader) {
  const isLast = reader.u8() === 1;
  const count = reader.u16();
  const entries: StateEntry[] = [];
  while (entries.length < count) {
    entries.push({
      state: itemAt(STATES, reader.u8()),
      ageMs: reader.u32() * 1_000,
      identity: readIdentity(reader),
    });
  }
  return { isLast, entries };
}

function itemAt<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new MalformedError("no such value");
  return item;
}

function bits(value: number): boolean[] {
  return Array.from({ length: BUCKETS }, (_, at) => (value >>> at & 1) === 1);
}

/** The frames that carry entries; one that is empty if there are none. */
export function* entriesFrames(entries: readonly StateEntry[]): Generator<Frame> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) {
    bytes += 40 + (entries[at]?.identity.metaBytes.length ?? 0);
    if (bytes < ENTRIES_BYTES) continue;
    yield { type: "entries", isLast: false, entries: entries.slice(from, at + 1) };
    from = at + 1;
    bytes = 0;
  }
  yield { type: "entries", isLast: true, entries: entries.slice(from) };
}

/** The answer to a first frame that cannot be opened. */
export function openRefusal(reason: RefusalReason): Uint8Array {
  return Uint8Array.of(0x6b, 1, 2, REASONS.indexOf(reason));
}

/** Why the other side could not open our frame; null if these bytes are something else. */
export function readOpenRefusal(bytes: Uint8Array): RefusalReason | null {
  if (bytes.length !== 4 || bytes[0] !== 0x6b || bytes[2] !== 2) return null;
  return REASONS[bytes[3] ?? REASONS.length] ?? null;
}
