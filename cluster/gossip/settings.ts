/** What gossip is configured with, and what of it is refused at the start. */
import type { HostPort } from "../../core/io.ts";
import { ipToBytes } from "../../core/ip-address.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { encodeMeta, META_BYTES_MAX, NODE_ID_MAX } from "./codec.ts";
import { checkKeys, type KeyRing } from "./envelope.ts";
import { addressText, type MemberMeta } from "./member.ts";
import { TIMINGS, type Timings, type TimingsName } from "./timings.ts";

/** See the fields. */
export interface GossipOptions {
  /** Kafka's node id, unique in the cluster. */
  readonly nodeId: number;
  /** Kafka's cluster id: members of another one are refused. At most 80 characters. */
  readonly clusterId: string;
  /** Names the network (`--cluster`): packets of others are dropped unread. */
  readonly label: string;
  /** Where UDP and TCP are bound: an IP address, which may be `0.0.0.0` or `::`; port 0 for any. */
  readonly bind: HostPort;
  /** Where others reach it, an IP address; by default where it is bound. Port 0: the bound one. */
  readonly advertise?: HostPort;
  readonly meta: MemberMeta;
  /** Without keys all is sent in plain text. */
  readonly keys?: KeyRing;
  /** A preset's name or all timings. */
  readonly timings?: TimingsName | Timings;
  /** More members than so many are not taken in. */
  readonly membersMax?: number;
}

/** The timings that were chosen. */
export function timingsOf(options: GossipOptions): Timings {
  const { timings = "default" } = options;
  return typeof timings === "string" ? TIMINGS[timings] : timings;
}

/** Throws an `OperatorError` where the options cannot work. */
export function checkOptions(options: GossipOptions): void {
  const { nodeId, clusterId, keys = [], meta } = options;
  if (!Number.isInteger(nodeId) || nodeId < 0 || nodeId > NODE_ID_MAX) {
    throw new OperatorError(
      `node id ${nodeId} cannot be used`,
      "it is no whole number from 0 to 2147483647",
      "give another one",
    );
  }
  if (clusterId.length > 80) {
    throw new OperatorError("the cluster id cannot be used", "it is too long", "shorten it");
  }
  checkKeys(keys);
  checkMeta(meta);
  const { host } = options.advertise ?? options.bind;
  if (ipToBytes(host) === null) {
    throw new OperatorError(
      `gossip cannot be advertised at ${host}`,
      "it is no IP address",
      "give an IP address of this host that the others reach",
    );
  }
  if (host === "0.0.0.0" || host === "::") {
    throw new OperatorError(
      `gossip cannot be advertised at ${host}`,
      "no other member can send to it",
      "give an IP address of this host that the others reach",
    );
  }
}

/** The metadata as bytes; throws an `OperatorError` if there is too much of it. */
export function checkMeta(meta: MemberMeta): Uint8Array {
  const bytes = encodeMeta(meta);
  if (bytes !== null) return bytes;
  throw new OperatorError(
    "this member cannot describe itself to others",
    `host, rack, version and listeners take more than ${META_BYTES_MAX} bytes together`,
    "use shorter names or fewer listeners",
  );
}

/** The operator's error for a port that cannot be bound. */
export function bindError(at: HostPort, error: unknown): OperatorError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const taken = code === "EADDRINUSE";
  return new OperatorError(
    `gossip cannot be bound to ${addressText(at)}`,
    taken ? "the port is in use" : error instanceof Error ? error.message : String(error),
    taken ? "stop what uses it, or choose another port" : "choose an address of this host",
  );
}
