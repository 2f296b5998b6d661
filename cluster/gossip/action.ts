/** What the state machine wants done. */
import type { HostPort } from "../../core/io.ts";
import type { GossipEvent } from "./member.ts";

/**
 * `send`: a packet, not sealed yet. `sync`: exchange states with a member. `streamPing`: ask over
 * TCP, and say `streamAck` if the answer comes in time. `rejoin`: try an address that was given for
 * joining, in case there are members whom nobody here has ever met. `toldLeaving`: the good-bye was
 * sent as often as it has to be.
 */
export type Action =
  | { readonly kind: "send"; readonly to: HostPort; readonly payload: Uint8Array }
  | { readonly kind: "sync"; readonly nodeId: number; readonly address: HostPort }
  | {
    readonly kind: "streamPing";
    readonly address: HostPort;
    readonly target: number;
    readonly sequence: number;
    readonly timeoutMs: number;
  }
  | { readonly kind: "rejoin" }
  | { readonly kind: "event"; readonly event: GossipEvent }
  | { readonly kind: "toldLeaving" };

/** What has happened, counted since the start. */
export interface SwimCounters {
  probes: number;
  failedProbes: number;
  /** Members that came under suspicion here. */
  suspicions: number;
  /** Members whose suspicion became certainty here, rather than elsewhere. */
  failuresFound: number;
  /** Times that this member had to say that it is alive. */
  refutations: number;
  /** Members that were not taken in because there are too many. */
  tooMany: number;
  /** Times that this process did not run for a while. */
  pauses: number;
}
