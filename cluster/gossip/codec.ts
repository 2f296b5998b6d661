/**
 * The bytes of packets, before they are sealed (`envelope.ts`). Integers are big-endian and
 * unsigned; an address is `u8 4 or 16, IP address, u16 port`; a text is `u8 length, UTF-8`.
 *
 *     packet    u32 node id of the sender, then messages to the end
 *     message   u8 type, u16 length, body of that length; unknown types are skipped, and so is what
 *               follows the known fields of a body, so that later versions can add to both
 *
 *     1 ping          u32 sequence, u32 node id that is meant
 *     2 ping request  u32 sequence, u32 node id that is meant, its address
 *     3 ack           u32 sequence of the ping or ping request
 *     4 nack          u32 sequence of the ping request: no answer yet
 *     5 alive         identity
 *     6 suspect       u32 node id, u48 incarnation, u32 node id of who says so
 *     7 failed        as suspect
 *     8 left          u32 node id, u48 incarnation
 *
 *     identity  u32 node id, u48 incarnation, address, u16 length of the metadata, metadata
 *     metadata  text host, u8 1 and text rack or u8 0, text version, u16 load in percent,
 *               u8 listeners, each text name, text host, u16 port; what follows is of later
 *               versions, and is handed on as it came
 *
 * A packet never exceeds `PACKET_BYTES_MAX`, so that it needs no fragments on any common path.
 */
import type { HostPort } from "../../core/io.ts";
import { assert, unreachable } from "../../core/assert.ts";
import { ByteReader, ByteWriter, decodeOrNull, MalformedError } from "./bytes.ts";
import type { MemberListener, MemberMeta } from "./member.ts";

/** A sealed packet has at most so many bytes. */
export const PACKET_BYTES_MAX = 1_400;
/** Encoded metadata has at most so many bytes. */
export const META_BYTES_MAX = 512;
/** Node ids are Kafka's: int32, not negative. */
export const NODE_ID_MAX = 0x7fff_ffff;
/** Beyond it no incarnation is believed: they begin with the milliseconds of the wall clock. */
export const INCARNATION_MAX = 2 ** 48 - 2 ** 32;

/** Who a member is, as it says itself. */
export interface Identity {
  readonly nodeId: number;
  readonly incarnation: number;
  readonly address: HostPort;
  /** `decodeMeta` reads it; handed on unchanged. */
  readonly metaBytes: Uint8Array;
}

/** What one member says about another. */
export type Claim =
  | { readonly type: "alive"; readonly identity: Identity }
  | {
    readonly type: "suspect" | "failed";
    readonly nodeId: number;
    readonly incarnation: number;
    readonly from: number;
  }
  | { readonly type: "left"; readonly nodeId: number; readonly incarnation: number };

/** What a packet carries. */
export type Message =
  | Claim
  | { readonly type: "ping"; readonly sequence: number; readonly target: number }
  | {
    readonly type: "pingRequest";
    readonly sequence: number;
    readonly target: number;
    readonly address: HostPort;
  }
  | { readonly type: "ack" | "nack"; readonly sequence: number };

/** A packet as it was read. */
export interface Packet {
  readonly sender: number;
  readonly messages: readonly Message[];
}

const TYPES = {
  ping: 1,
  pingRequest: 2,
  ack: 3,
  nack: 4,
  alive: 5,
  suspect: 6,
  failed: 7,
  left: 8,
} as const;

/** A message with its head, ready to be put into packets. */
export function encodeMessage(message: Message): Uint8Array {
  const body = new ByteWriter();
  writeBody(body, message);
  const out = new ByteWriter();
  out.u8(TYPES[message.type]);
  out.u16(body.length);
  out.raw(body.take());
  return out.take();
}

function writeBody(out: ByteWriter, message: Message): void {
  switch (message.type) {
    case "ping":
      out.u32(message.sequence);
      return out.u32(message.target);
    case "pingRequest":
      out.u32(message.sequence);
      out.u32(message.target);
      return out.address(message.address);
    case "ack":
    case "nack":
      return out.u32(message.sequence);
    case "alive":
      return writeIdentity(out, message.identity);
    case "suspect":
    case "failed":
      out.u32(message.nodeId);
      out.u48(message.incarnation);
      return out.u32(message.from);
    case "left":
      out.u32(message.nodeId);
      return out.u48(message.incarnation);
    default:
      unreachable(message, "a message has a type");
  }
}

/** A packet of encoded messages. */
export function encodePacket(sender: number, messages: readonly Uint8Array[]): Uint8Array {
  const out = new ByteWriter();
  out.u32(sender);
  for (const message of messages) out.raw(message);
  return out.take();
}

/** Bytes of a packet without messages. */
export const PACKET_HEAD_BYTES = 4;

/** Reads a packet; null if it is malformed anywhere, so that nothing of it is believed. */
export function decodePacket(bytes: Uint8Array): Packet | null {
  return decodeOrNull(() => {
    const reader = new ByteReader(bytes);
    const sender = readNodeId(reader);
    const messages: Message[] = [];
    while (reader.left > 0) {
      const type = reader.u8();
      const message = readBody(type, new ByteReader(reader.raw(reader.u16())));
      if (message !== null) messages.push(message);
    }
    return { sender, messages };
  });
}

function readBody(type: number, reader: ByteReader): Message | null {
  switch (type) {
    case TYPES.ping:
      return { type: "ping", sequence: reader.u32(), target: readNodeId(reader) };
    case TYPES.pingRequest:
      return {
        type: "pingRequest",
        sequence: reader.u32(),
        target: readNodeId(reader),
        address: reader.address(),
      };
    case TYPES.ack:
      return { type: "ack", sequence: reader.u32() };
    case TYPES.nack:
      return { type: "nack", sequence: reader.u32() };
    case TYPES.alive:
      return { type: "alive", identity: readIdentity(reader) };
    case TYPES.suspect:
      return { type: "suspect", ...readAccusation(reader) };
    case TYPES.failed:
      return { type: "failed", ...readAccusation(reader) };
    case TYPES.left:
      return { type: "left", nodeId: readNodeId(reader), incarnation: readIncarnation(reader) };
    default:
      return null;
  }
}

function readAccusation(reader: ByteReader) {
  return {
    nodeId: readNodeId(reader),
    incarnation: readIncarnation(reader),
    from: readNodeId(reader),
  };
}

function readNodeId(reader: ByteReader): number {
  const nodeId = reader.u32();
  if (nodeId > NODE_ID_MAX) throw new MalformedError("no node id");
  return nodeId;
}

function readIncarnation(reader: ByteReader): number {
  const incarnation = reader.u48();
  if (incarnation > INCARNATION_MAX) throw new MalformedError("no incarnation");
  return incarnation;
}

/** Writes an identity. */
export function writeIdentity(out: ByteWriter, identity: Identity): void {
  out.u32(identity.nodeId);
  out.u48(identity.incarnation);
  out.address(identity.address);
  out.u16(identity.metaBytes.length);
  out.raw(identity.metaBytes);
}

/** Reads an identity; the metadata is checked by `decodeMeta` alone. */
export function readIdentity(reader: ByteReader): Identity {
  const nodeId = readNodeId(reader);
  const incarnation = readIncarnation(reader);
  const address = reader.address();
  const length = reader.u16();
  if (length > META_BYTES_MAX) throw new MalformedError("too much metadata");
  return { nodeId, incarnation, address, metaBytes: reader.raw(length).slice() };
}

/** The metadata as bytes, or null if it has more than `META_BYTES_MAX` or a text of over 255. */
export function encodeMeta(meta: MemberMeta): Uint8Array | null {
  const texts = [meta.host, meta.rack ?? "", meta.version];
  for (const { name, host } of meta.listeners) texts.push(name, host);
  if (texts.some((text) => new TextEncoder().encode(text).length > 255)) return null;
  const out = new ByteWriter();
  out.text(meta.host);
  out.u8(meta.rack === null ? 0 : 1);
  if (meta.rack !== null) out.text(meta.rack);
  out.text(meta.version);
  out.u16(Math.min(65_535, Math.max(0, Math.round(meta.loadPercent))));
  out.u8(meta.listeners.length);
  for (const { name, host, port } of meta.listeners) {
    assert(Number.isInteger(port) && port >= 0 && port < 65_536, "a listener has a port");
    out.text(name);
    out.text(host);
    out.u16(port);
  }
  return meta.listeners.length > 255 || out.length > META_BYTES_MAX ? null : out.take();
}

/** Reads metadata; null if it is malformed. */
export function decodeMeta(bytes: Uint8Array): MemberMeta | null {
  return decodeOrNull(() => {
    const reader = new ByteReader(bytes);
    const host = reader.text();
    const rack = reader.u8() === 0 ? null : reader.text();
    const version = reader.text();
    const loadPercent = reader.u16();
    const count = reader.u8();
    const listeners: MemberListener[] = [];
    while (listeners.length < count) {
      listeners.push({ name: reader.text(), host: reader.text(), port: reader.u16() });
    }
    return { host, rack, listeners, version, loadPercent };
  });
}
