/**
 * Which brokers are alive, as the controller sees it: registrations and heartbeats in, decisions out.
 * A pure state on the controller's monotonic clock. After Kafka's `BrokerHeartbeatManager` and
 * `ClusterControlManager`.
 *
 * A broker begins fenced: it leads nothing and is in no ISR. It is unfenced when it has applied the
 * metadata up to its own registration, fenced again when it has not been heard of for a session. When it
 * wants to stop, it goes on until it leads nothing and all others know that it does not.
 */
import { assert } from "../../core/assert.ts";

/** Where a broker stands. */
export type BrokerState = "fenced" | "active" | "stopping" | "stopped";

/** A heartbeat (BrokerHeartbeatRequest). */
export interface BrokerHeartbeat {
  readonly brokerId: number;
  readonly brokerEpoch: number;
  /** Up to where it has applied the metadata. */
  readonly metadataOffset: number;
  readonly wantsFence: boolean;
  readonly wantsShutdown: boolean;
}

/** What a heartbeat comes to. `stopped`: it may end. */
export interface HeartbeatOutcome {
  readonly before: BrokerState;
  readonly after: BrokerState;
  readonly isCaughtUp: boolean;
}

interface Session {
  readonly brokerEpoch: number;
  state: BrokerState;
  heardMs: number;
  metadataOffset: number;
  /** Position of the change that has taken its leaderships; all others have to apply it. */
  stoppingOffset: number;
}

/** See the head of the file. */
export class BrokerSessions {
  readonly #sessions = new Map<number, Session>();

  constructor(readonly sessionTimeoutMs: number) {}

  /**
   * A registration is committed; `brokerEpoch` is its position. Also called for each known broker by a
   * new controller, which gives everybody a whole session.
   */
  register(brokerId: number, brokerEpoch: number, isFenced: boolean, nowMs: number): void {
    this.#sessions.set(brokerId, {
      brokerEpoch,
      state: isFenced ? "fenced" : "active",
      heardMs: nowMs,
      metadataOffset: -1,
      stoppingOffset: -1,
    });
  }

  unregister(brokerId: number): void {
    this.#sessions.delete(brokerId);
  }

  /** The epoch of its registration, or null. */
  epochOf(brokerId: number): number | null {
    return this.#sessions.get(brokerId)?.brokerEpoch ?? null;
  }

  /** Where it stands; one that is not known is fenced. */
  stateOf(brokerId: number): BrokerState {
    return this.#sessions.get(brokerId)?.state ?? "fenced";
  }

  /** Whether it may lead and be in an ISR. */
  isActive(brokerId: number): boolean {
    return this.stateOf(brokerId) === "active";
  }

  /**
   * What the heartbeat comes to; nothing is changed but that it was heard. The caller makes the change
   * of metadata that belongs to it and says `committed`. Null if the registration is another one
   * (STALE_BROKER_EPOCH).
   */
  heartbeat(
    beat: BrokerHeartbeat,
    leadsSomething: boolean,
    nowMs: number,
  ): HeartbeatOutcome | null {
    const session = this.#sessions.get(beat.brokerId);
    if (session === undefined || session.brokerEpoch !== beat.brokerEpoch) return null;
    session.heardMs = nowMs;
    session.metadataOffset = Math.max(session.metadataOffset, beat.metadataOffset);
    return {
      before: session.state,
      after: this.#next(session, beat, leadsSomething),
      isCaughtUp: beat.metadataOffset >= session.brokerEpoch,
    };
  }

  /** The change of metadata is written, up to `offset`: the broker is in this state. */
  committed(brokerId: number, state: BrokerState, offset: number): void {
    const session = this.#sessions.get(brokerId);
    assert(session !== undefined, "a state is of a registered broker");
    session.state = state;
    if (state === "stopping") session.stoppingOffset = Math.max(session.stoppingOffset, offset);
  }

  /** Brokers that have not been heard of for a session, and are not fenced yet; the oldest first. */
  expired(nowMs: number): number[] {
    return [...this.#sessions]
      .filter(([, { state, heardMs }]) => {
        return (state === "active" || state === "stopping") &&
          nowMs - heardMs > this.sessionTimeoutMs;
      })
      .sort(([, a], [, b]) => a.heardMs - b.heardMs)
      .map(([brokerId]) => brokerId);
  }

  /** When the next session may end, or null. */
  nextExpiryMs(): number | null {
    let next: number | null = null;
    for (const { state, heardMs } of this.#sessions.values()) {
      if (state === "fenced" || state === "stopped") continue;
      next = Math.min(next ?? Infinity, heardMs + this.sessionTimeoutMs);
    }
    return next;
  }

  #next(session: Session, beat: BrokerHeartbeat, leadsSomething: boolean): BrokerState {
    const { wantsFence, wantsShutdown } = beat;
    switch (session.state) {
      case "fenced":
        if (wantsShutdown) return "stopped";
        return !wantsFence && beat.metadataOffset >= session.brokerEpoch ? "active" : "fenced";
      case "active":
        if (wantsFence) return wantsShutdown ? "stopped" : "fenced";
        if (!wantsShutdown) return "active";
        return leadsSomething ? "stopping" : "stopped";
      case "stopping":
        // Others may still send clients to it.
        if (leadsSomething || this.#leastOffset(session) < session.stoppingOffset) {
          return "stopping";
        }
        return "stopped";
      case "stopped":
        return "stopped";
    }
  }

  /** Up to where all others that serve have applied the metadata. */
  #leastOffset(except: Session): number {
    let least = Infinity;
    for (const session of this.#sessions.values()) {
      if (session !== except && session.state === "active") {
        least = Math.min(least, session.metadataOffset);
      }
    }
    return least;
  }
}
