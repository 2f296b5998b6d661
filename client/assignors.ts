/** Assignors by name: how each spreads, and what its members say of themselves. */
import type { AssignableMember, Assignor, AssignorName, Subscription } from "./group-protocol.ts";
import {
  decodeSubscription,
  encodeSubscription,
  rangeAssignor,
  roundRobinAssignor,
} from "./group-protocol.ts";
import {
  cooperativeStickyAssignor,
  decodeStickyUserData,
  encodeCooperativeUserData,
  encodeStickyUserData,
  stickyAssignor,
} from "./sticky-assignor.ts";

const ASSIGNORS: Readonly<Record<AssignorName, Assignor>> = {
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
  sticky: stickyAssignor,
  "cooperative-sticky": cooperativeStickyAssignor,
};

/** The names, in the order of the manual. */
export const ASSIGNOR_NAMES: readonly AssignorName[] = [
  "range",
  "roundrobin",
  "sticky",
  "cooperative-sticky",
];

/** The assignor of this name, or null if this client has none. */
export function assignorOf(name: string | null): Assignor | null {
  const known = ASSIGNOR_NAMES.find((each) => each === name);
  return known === undefined ? null : ASSIGNORS[known];
}

/**
 * Whether members keep what they have through a rebalance (KIP-429): where all their assignors
 * allow it, as in Java's `ConsumerCoordinator`.
 */
export function isCooperative(names: readonly AssignorName[]): boolean {
  return names.length > 0 && names.every((name) => name === "cooperative-sticky");
}

/**
 * A member's metadata for one assignor. `before` is what it had last, which an eager member has
 * given back by now, but `sticky` likes to know.
 */
export function memberMetadata(
  name: AssignorName,
  subscription: Subscription,
  before: Pick<Subscription, "owned" | "generation">,
): Uint8Array {
  const { topics } = subscription;
  switch (name) {
    case "range":
    case "roundrobin":
      return encodeSubscription(topics, subscription);
    case "sticky": {
      const userData = encodeStickyUserData(before.owned, before.generation);
      return encodeSubscription(topics, { ...subscription, userData });
    }
    case "cooperative-sticky": {
      const userData = encodeCooperativeUserData(subscription.generation);
      return encodeSubscription(topics, { ...subscription, userData });
    }
  }
}

/** A member as the assignor of this name sees it. Throws `ProtocolError` on bytes of no sense. */
export function assignableMember(
  name: string,
  member: {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Uint8Array;
  },
): AssignableMember {
  const { memberId, groupInstanceId } = member;
  const { topics, owned, generation, userData } = decodeSubscription(member.metadata);
  const before = name === "sticky" ? decodeStickyUserData(userData) : null;
  // Below version 2 of the subscription the generation is in the assignor's own part.
  const cooperativeGeneration = generation < 0 && name === "cooperative-sticky" &&
      userData?.length === 4
    ? new DataView(userData.buffer, userData.byteOffset).getInt32(0)
    : generation;
  return {
    memberId,
    groupInstanceId,
    topics,
    owned: before?.owned ?? owned,
    generation: before?.generation ?? cooperativeGeneration,
  };
}
