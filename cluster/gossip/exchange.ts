/**
 * State exchanges over TCP, both sides (`frames.ts` has their frames), and pings over TCP. They fail
 * with a `StreamError` or a `RefusedError`, and then nothing or a part has been taken in: each entry
 * stands for itself.
 */
import type { HostPort } from "../../core/io.ts";
import type { Identity } from "./codec.ts";
import { isPresent } from "./member-table.ts";
import { addressText, sameAddress } from "./member.ts";
import { FrameStream, RefusedError, StreamError } from "./frame-stream.ts";
import { entriesFrames, type Frame, type RefusalReason } from "./frames.ts";
import type { StateEntry, Swim } from "./swim.ts";

/** What an exchange works on. */
export interface ExchangeParts {
  readonly swim: Swim;
  readonly clusterId: string;
  readonly membersMax: number;
  /** On the monotonic clock. */
  readonly nowMs: () => number;
  /** Takes in what the other side has sent. */
  readonly merge: (sender: number, entries: readonly StateEntry[], isNewcomer: boolean) => void;
}

type Hello = Extract<Frame, { readonly type: "hello" }>;

/** Calls a member. `remote` is its address as the socket has it. */
export async function callExchange(
  parts: ExchangeParts,
  stream: FrameStream,
  remote: HostPort,
): Promise<void> {
  const { swim, clusterId, merge } = parts;
  const { isNewcomer } = swim;
  stream.send({ type: "hello", clusterId, identity: swim.self, digests: swim.digests() });
  const { identity, buckets } = await expectFrame(stream, "welcome");
  if (isUnreachable(identity.address, remote)) {
    throw new RefusedError("address", unreachableSentence(identity.address));
  }
  const sender = identity.nodeId;
  if (!buckets.includes(true)) {
    merge(sender, [alive(identity)], isNewcomer);
    return stream.end();
  }
  const theirs = await readEntries(parts, stream);
  const ours = swim.entriesIn(buckets, parts.nowMs()).filter((entry) => !isKnown(entry, theirs));
  merge(sender, [alive(identity), ...theirs.values()], isNewcomer);
  for (const frame of entriesFrames(ours)) stream.send(frame);
  const done = await expectFrame(stream, "done");
  merge(sender, [alive(done.identity)], false);
  stream.end();
}

/** Answers whoever has called: with an exchange, or to a ping. */
export async function answerCall(
  parts: ExchangeParts,
  stream: FrameStream,
  remote: HostPort,
): Promise<void> {
  const frame = await stream.next();
  if (frame.type === "ping") {
    if (frame.target === parts.swim.self.nodeId) {
      stream.send({ type: "ack", sequence: frame.sequence });
    }
    return stream.end();
  }
  if (frame.type !== "hello") throw new StreamError("it began with something else than a hello");
  const refusal = judge(parts, frame, remote);
  if (refusal !== null) {
    stream.send({ type: "refused", ...refusal });
    return stream.end();
  }
  await answerHello(parts, stream, frame);
}

async function answerHello(
  parts: ExchangeParts,
  stream: FrameStream,
  hello: Hello,
): Promise<void> {
  const { swim, merge } = parts;
  const sender = hello.identity.nodeId;
  const ours = swim.digests();
  const buckets = Array.from(ours, (digest, at) => digest !== hello.digests[at]);
  stream.send({ type: "welcome", identity: swim.self, buckets });
  const isEqual = !buckets.includes(true);
  if (!isEqual) {
    for (const frame of entriesFrames(swim.entriesIn(buckets, parts.nowMs()))) stream.send(frame);
  }
  merge(sender, [alive(hello.identity)], false);
  if (isEqual) return stream.end();
  merge(sender, [...(await readEntries(parts, stream)).values()], false);
  stream.send({ type: "done", identity: swim.self });
  stream.end();
}

/** Why the caller is not taken in, or null. */
function judge(
  { swim, clusterId }: ExchangeParts,
  hello: Hello,
  remote: HostPort,
): { readonly reason: RefusalReason; readonly sentence: string } | null {
  const { nodeId, address } = hello.identity;
  if (hello.clusterId !== clusterId) {
    return { reason: "cluster", sentence: `it is of cluster ${clusterId}` };
  }
  const known = swim.member(nodeId);
  if (known !== null && sameAddress(known.address, address)) {
    return nodeId === swim.self.nodeId ? { reason: "self", sentence: "this is you" } : null;
  }
  if (known !== null && isPresent(known)) {
    const sentence = `node ${nodeId} is at ${addressText(known.address)}`;
    return { reason: "conflict", sentence };
  }
  if (!isUnreachable(address, remote)) return null;
  return { reason: "address", sentence: unreachableSentence(address) };
}

/** Whether it names this host to somebody on another one. */
function isUnreachable(address: HostPort, remote: HostPort): boolean {
  return isLoopback(address.host) && !isLoopback(remote.host);
}

function unreachableSentence(address: HostPort): string {
  return `${address.host} cannot be reached from other hosts`;
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

async function readEntries(
  { membersMax }: ExchangeParts,
  stream: FrameStream,
): Promise<Map<number, StateEntry>> {
  const entries = new Map<number, StateEntry>();
  for (;;) {
    const frame = await expectFrame(stream, "entries");
    for (const entry of frame.entries) entries.set(entry.identity.nodeId, entry);
    if (entries.size > 2 * membersMax) throw new StreamError("it knows too many members");
    if (frame.isLast) return entries;
    if (frame.entries.length === 0) throw new StreamError("it sends nothing without end");
  }
}

function alive(identity: Identity): StateEntry {
  return { state: "alive", identity, ageMs: 0 };
}

/** Whether the other side has said the same: it need not hear it. */
function isKnown(entry: StateEntry, theirs: ReadonlyMap<number, StateEntry>): boolean {
  const other = theirs.get(entry.identity.nodeId);
  return other?.state === entry.state &&
    other.identity.incarnation === entry.identity.incarnation;
}

/** Asks over TCP whether a member is there; resolves if it is. */
export async function callPing(
  stream: FrameStream,
  sequence: number,
  target: number,
): Promise<void> {
  stream.send({ type: "ping", sequence, target });
  const ack = await expectFrame(stream, "ack");
  stream.end();
  if (ack.sequence !== sequence) throw new StreamError("it answered something else");
}

async function expectFrame<T extends Frame["type"]>(
  stream: FrameStream,
  type: T,
): Promise<Extract<Frame, { readonly type: T }>> {
  const frame = await stream.next();
  if (!isOfType(frame, type)) throw new StreamError(`it sent ${frame.type} instead of ${type}`);
  return frame;
}

function isOfType<T extends Frame["type"]>(
  frame: Frame,
  type: T,
): frame is Extract<Frame, { readonly type: T }> {
  return frame.type === type;
}
