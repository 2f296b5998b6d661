/**
 * Which brokers are alive, as the controller sees it: registrations and heartbeats in, decisions out.
 * A pure state on the controller's monotonic clock. After Kafka's `BrokerHeartbeatManager` and
 * `ClusterControlManager`.
 *
 * A broker begins fenced: it leads nothing and is in no ISR. It is unfenced when it has applied the
 * metadata up to its own registration, fenced again when it has not been heard of for a session. When it
 * wants to stop, it goes on until it leads nothing and all others know that it does not.
 *
 * Where a broker stands is what the metadata say of it (`follow`), whoever has written that; only
 * `stopped` is known here alone.
 */
import type { BrokerImage } from "../metadata-image.ts";

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
  /** Ids of its data directories that have failed. */
  readonly offlineDirs: readonly string[];
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
  /** Its connection has ended, and it was not heard of since. */
  isCutOff: boolean;
  metadataOffset: number;
  /** Position of the change that has taken its leaderships; all others have to apply it. */
  stoppingOffset: number;
}

/** Long ago: this registration was not heard of by this controller. */
const NEVER = -Infinity;

/** See the head of the file. */
export class BrokerSessions {
  readonly #sessions = new Map<number, Session>();

  constructor(readonly sessionTimeoutMs: number) {}

  /**
   * A new controller has found this registration. Who may have clients gets a whole session; nothing was
   * heard of the others. Who has registered without a process of its own (`aloneBroker`) is over.
   */
  inherit(broker: BrokerImage, position: number, nowMs: number): void {
    const isSilent = broker.state === "fenced" || broker.incarnationId === "";
    this.#begin(broker, position, isSilent ? NEVER : nowMs);
  }

  /** What the metadata say of the broker since the change that ends at `position`. */
  follow(broker: BrokerImage, position: number, nowMs: number): void {
    const session = this.#sessions.get(broker.brokerId);
    if (session === undefined || session.brokerEpoch !== broker.epoch) {
      this.#begin(broker, position, nowMs);
      return;
    }
    if (session.state === broker.state) return;
    if (session.state === "stopped" && broker.state === "fenced") return;
    session.state = broker.state;
    if (broker.state === "stopping") session.stoppingOffset = position;
  }

  /** The broker is no member any more. */
  unregister(brokerId: number): void {
    this.#sessions.delete(brokerId);
  }

  /** This registration is told that it may end, which the metadata know as `fenced`. */
  stopped(brokerId: number, brokerEpoch: number): void {
    const session = this.#sessions.get(brokerId);
    if (session?.brokerEpoch === brokerEpoch && session.state === "fenced") {
      session.state = "stopped";
    }
  }

  /** The epoch of its registration, or null. */
  epochOf(brokerId: number): number | null {
    return this.#sessions.get(brokerId)?.brokerEpoch ?? null;
  }

  /** Where it stands; one that is not known is fenced. */
  stateOf(brokerId: number): BrokerState {
    return this.#sessions.get(brokerId)?.state ?? "fenced";
  }

  /** Whether its process is there, as far as is known, so that another one is not the same broker. */
  isAlive(brokerId: number, nowMs: number): boolean {
    const session = this.#sessions.get(brokerId);
    if (session === undefined || session.state === "stopped" || session.isCutOff) return false;
    return nowMs - session.heardMs <= this.sessionTimeoutMs;
  }

  /**
   * What the heartbeat comes to; nothing is changed but that it was heard. The caller makes the change
   * of metadata that belongs to it. Null if the registration is another one (STALE_BROKER_EPOCH).
   */
  heartbeat(
    beat: BrokerHeartbeat,
    leadsSomething: () => boolean,
    nowMs: number,
  ): HeartbeatOutcome | null {
    const session = this.#sessions.get(beat.brokerId);
    if (session === undefined || session.brokerEpoch !== beat.brokerEpoch) return null;
    session.heardMs = nowMs;
    session.isCutOff = false;
    this.applied(beat.brokerId, beat.metadataOffset);
    return {
      before: session.state,
      after: this.#next(session, beat, leadsSomething),
      isCaughtUp: beat.metadataOffset >= session.brokerEpoch,
    };
  }

  /** The broker has applied the metadata up to there. */
  applied(brokerId: number, metadataOffset: number): void {
    const session = this.#sessions.get(brokerId);
    if (session === undefined) return;
    session.metadataOffset = Math.max(session.metadataOffset, metadataOffset);
  }

  /** The connection that its heartbeats came on has ended. */
  cutOff(brokerId: number): void {
    const session = this.#sessions.get(brokerId);
    if (session !== undefined) session.isCutOff = true;
  }

  /** The controller itself has not run for so long, and heard of nobody. */
  forgive(silentMs: number): void {
    for (const session of this.#sessions.values()) session.heardMs += silentMs;
  }

  /** The broker is known to be gone: its session is over. */
  end(brokerId: number): void {
    const session = this.#sessions.get(brokerId);
    if (session !== undefined) session.heardMs = NEVER;
  }

  /** Brokers that have not been heard of for a session, and are not fenced yet; the oldest first. */
  expired(nowMs: number): number[] {
    return [...this.#sessions]
      .filter(([, { state, heardMs }]) => {
        return (state === "active" || state === "stopping") &&
          nowMs - heardMs > this.sessionTimeoutMs;
      })
      .sort(([, a], [, b]) => a.heardMs < b.heardMs ? -1 : 1)
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

  #begin({ brokerId, epoch, state }: BrokerImage, position: number, heardMs: number): void {
    this.#sessions.set(brokerId, {
      brokerEpoch: epoch,
      state,
      heardMs,
      isCutOff: false,
      metadataOffset: -1,
      stoppingOffset: state === "stopping" ? position : -1,
    });
  }

  #next(session: Session, beat: BrokerHeartbeat, leadsSomething: () => boolean): BrokerState {
    const { wantsFence, wantsShutdown } = beat;
    switch (session.state) {
      case "fenced":
        if (wantsShutdown) return "stopped";
        return !wantsFence && beat.metadataOffset >= session.brokerEpoch ? "active" : "fenced";
      case "active":
        if (wantsFence) return wantsShutdown ? "stopped" : "fenced";
        if (!wantsShutdown) return "active";
        return leadsSomething() ? "stopping" : "stopped";
      case "stopping":
        // Others may still send clients to it.
        if (this.#leastOffset(session) < session.stoppingOffset || leadsSomething()) {
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
