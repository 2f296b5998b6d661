/** What is known of a member of the cluster. */
import type { HostPort } from "../../core/io.ts";

/** Where clients and brokers reach a member. */
export interface MemberListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/**
 * What a member says about itself. Encoded it has at most `META_BYTES_MAX`. It goes to all members
 * at each change, so a load that changes all the time is rounded by whoever reports it.
 */
export interface MemberMeta {
  /** A label for the machine: no two replicas of a partition go to one. */
  readonly host: string;
  readonly rack: string | null;
  readonly listeners: readonly MemberListener[];
  /** Of the software. */
  readonly version: string;
  /** How busy it is, in percent of what it can do; may be above 100. */
  readonly loadPercent: number;
}

/**
 * `suspect`: a probe has failed, and the member has not objected yet. `failed`: it has not objected
 * in time. `left`: it has said good-bye.
 */
export type MemberState = "alive" | "suspect" | "failed" | "left";

/** A member as seen by this one. */
export interface Member {
  readonly nodeId: number;
  /** Where it gossips, over UDP and TCP: an IP address. */
  readonly address: HostPort;
  /** Raised by the member alone: what was said of a lower one is out of date. */
  readonly incarnation: number;
  readonly state: MemberState;
  readonly meta: MemberMeta;
}

/**
 * What can happen to a member. `joined` is also one that had failed or left and is back;
 * `recovered` is one that was suspected and has objected. `conflict`: somebody at another address
 * says that it has the node id of `member`, which stays what it was.
 */
export type GossipEvent =
  | {
    readonly kind: "joined" | "left" | "failed" | "updated" | "suspected" | "recovered";
    readonly member: Member;
  }
  | { readonly kind: "conflict"; readonly member: Member; readonly other: HostPort };

/** Whether two addresses are the same. */
export function sameAddress(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.host === b.host;
}

/** An address as people write it. */
export function addressText(address: HostPort): string {
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
