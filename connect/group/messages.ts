/**
 * What workers tell one another through the group's coordinator, as JSON: each what it has, the leader
 * what each is to have. The protocol has a name of our own, so that the coordinator refuses a Java
 * worker in a group of ours and one of ours in a Java group: neither would understand the other.
 */
import { z } from "zod";
import type { Work } from "./work.ts";

/** Kafka's type of such groups, and our protocol in it. */
export const PROTOCOL_TYPE = "connect";
export const PROTOCOL_NAME = "kstream-connect";
const VERSION = 1;

/** What a worker says when it joins. */
export interface WorkerMetadata {
  /** `host:port` of its REST API as others see it; empty: it has none. */
  readonly workerId: string;
  /** Where its REST API is, as a URL; empty: it has none. */
  readonly url: string;
  readonly held: readonly Work[];
}

/** A worker as all know it after a rebalance. */
export interface GroupWorker {
  readonly workerId: string;
  readonly url: string;
  readonly assigned: readonly Work[];
}

/** What the leader tells a worker. */
export interface WorkerAssignment {
  readonly leader: string;
  readonly leaderUrl: string;
  readonly assigned: readonly Work[];
  readonly revoked: readonly Work[];
  /** For how long work waits for a worker that is gone; 0: none does. */
  readonly delayMs: number;
}

const work = z.array(z.string());
const metadata = z.looseObject({
  version: z.literal(VERSION),
  workerId: z.string(),
  url: z.string(),
  held: work,
});
const assignment = z.looseObject({
  version: z.literal(VERSION),
  leader: z.string(),
  leaderUrl: z.string(),
  assigned: work,
  revoked: work,
  delayMs: z.number(),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeMetadata(said: WorkerMetadata): Uint8Array {
  return encoder.encode(JSON.stringify({ version: VERSION, ...said }));
}

/** Null: it is none of ours. */
export function decodeMetadata(bytes: Uint8Array): WorkerMetadata | null {
  return metadata.safeParse(parsed(bytes)).data ?? null;
}

export function encodeAssignment(said: WorkerAssignment): Uint8Array {
  return encoder.encode(JSON.stringify({ version: VERSION, ...said }));
}

/** Null: it is none of ours. An empty one is what a member gets that the leader did not know of. */
export function decodeAssignment(bytes: Uint8Array): WorkerAssignment | null {
  return assignment.safeParse(parsed(bytes)).data ?? null;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
}
