import { expect, test } from "bun:test";
import { type BrokerHeartbeat, BrokerSessions, type BrokerState } from "./broker-sessions.ts";

const SESSION_MS = 9000;

/** Heartbeats whose outcomes are written down at once. */
class Beating {
  readonly sessions = new BrokerSessions(SESSION_MS);
  offset = 0;

  beat(
    brokerId: number,
    more: Partial<BrokerHeartbeat> = {},
    leadsSomething = false,
    nowMs = 0,
  ): BrokerState | null {
    const beat: BrokerHeartbeat = {
      brokerId,
      brokerEpoch: this.sessions.epochOf(brokerId) ?? -1,
      metadataOffset: this.offset,
      wantsFence: false,
      wantsShutdown: false,
      ...more,
    };
    const outcome = this.sessions.heartbeat(beat, leadsSomething, nowMs);
    if (outcome === null) return null;
    if (outcome.after !== outcome.before) {
      this.sessions.committed(brokerId, outcome.after, ++this.offset);
    }
    return outcome.after;
  }
}

test("a broker is active once it has applied its own registration", () => {
  const beating = new Beating();
  const { sessions } = beating;
  sessions.register(1, 40, true, 0);
  expect(beating.beat(1, { metadataOffset: 39 })).toBe("fenced");
  expect(sessions.isActive(1)).toBe(false);
  expect(beating.beat(1, { metadataOffset: 40, wantsFence: true })).toBe("fenced");
  expect(beating.beat(1, { metadataOffset: 40 })).toBe("active");
  expect(beating.beat(1, { brokerEpoch: 39 })).toBeNull();
  expect(beating.beat(2)).toBeNull();
});

test("who is not heard of for a session is told, the one silent for longest first", () => {
  const beating = new Beating();
  const { sessions } = beating;
  for (const id of [1, 2, 3, 4]) sessions.register(id, 0, id === 4, id);
  expect(sessions.nextExpiryMs()).toBe(1 + SESSION_MS);
  beating.beat(1, {}, false, 5000);
  expect(sessions.expired(3 + SESSION_MS)).toEqual([2]);
  expect(sessions.expired(5001 + SESSION_MS)).toEqual([2, 3, 1]);
  sessions.committed(2, "fenced", 7);
  expect(sessions.expired(5001 + SESSION_MS)).toEqual([3, 1]);
  sessions.unregister(3);
  expect(sessions.nextExpiryMs()).toBe(5000 + SESSION_MS);
});

test("a broker that stops goes on until it leads nothing and all others know", () => {
  const beating = new Beating();
  const { sessions } = beating;
  for (const id of [1, 2, 3]) sessions.register(id, 0, false, 0);
  beating.offset = 10;
  for (const id of [1, 2, 3]) beating.beat(id);
  expect(beating.beat(1, { wantsShutdown: true }, true)).toBe("stopping");
  expect(sessions.isActive(1)).toBe(false);
  expect(beating.beat(1, { wantsShutdown: true }, true)).toBe("stopping");
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopping");
  beating.beat(2);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopping");
  beating.beat(3);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopped");
  expect(sessions.expired(1e9)).toEqual([2, 3]);
});

test("one that leads nothing may stop at once, and so may one that is fenced", () => {
  const beating = new Beating();
  beating.sessions.register(1, 0, false, 0);
  beating.sessions.register(2, 0, true, 0);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopped");
  expect(beating.beat(2, { wantsShutdown: true })).toBe("stopped");
});
