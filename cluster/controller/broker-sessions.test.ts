import { expect, test } from "bun:test";
import { aloneBroker, type BrokerImage } from "../metadata-image.ts";
import type { RegisteredState } from "../metadata-records.ts";
import { type BrokerHeartbeat, BrokerSessions, type BrokerState } from "./broker-sessions.ts";

const SESSION_MS = 9000;

const broker = (
  brokerId: number,
  state: RegisteredState = "active",
  epoch = 0,
): BrokerImage => ({ ...aloneBroker(brokerId), incarnationId: "process", epoch, state });

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
    const brokerEpoch = this.sessions.epochOf(brokerId) ?? -1;
    const beat: BrokerHeartbeat = {
      brokerId,
      brokerEpoch,
      metadataOffset: this.offset,
      wantsFence: false,
      wantsShutdown: false,
      offlineDirs: [],
      ...more,
    };
    const outcome = this.sessions.heartbeat(beat, () => leadsSomething, nowMs);
    if (outcome === null) return null;
    const { before, after } = outcome;
    if (after !== before) this.write(brokerId, after === "stopped" ? "fenced" : after, nowMs);
    if (after === "stopped") this.sessions.stopped(brokerId, brokerEpoch);
    return after;
  }

  write(brokerId: number, state: RegisteredState, nowMs = 0): void {
    const epoch = this.sessions.epochOf(brokerId) ?? -1;
    this.sessions.follow(broker(brokerId, state, epoch), ++this.offset, nowMs);
  }
}

test("a broker is active once it has applied its own registration", () => {
  const beating = new Beating();
  const { sessions } = beating;
  sessions.follow(broker(1, "fenced", 40), 41, 0);
  expect(beating.beat(1, { metadataOffset: 39 })).toBe("fenced");
  expect(beating.beat(1, { metadataOffset: 40, wantsFence: true })).toBe("fenced");
  expect(beating.beat(1, { metadataOffset: 40 })).toBe("active");
  expect(sessions.stateOf(1)).toBe("active");
  expect(beating.beat(1, { brokerEpoch: 39 })).toBeNull();
  expect(beating.beat(2)).toBeNull();
});

test("who is not heard of for a session is told, the one silent for longest first", () => {
  const beating = new Beating();
  const { sessions } = beating;
  for (const id of [1, 2, 3, 4]) sessions.follow(broker(id, id === 4 ? "fenced" : "active"), 1, id);
  expect(sessions.nextExpiryMs()).toBe(1 + SESSION_MS);
  beating.beat(1, {}, false, 5000);
  expect(sessions.expired(3 + SESSION_MS)).toEqual([2]);
  expect(sessions.expired(5001 + SESSION_MS)).toEqual([2, 3, 1]);
  beating.write(2, "fenced");
  expect(sessions.expired(5001 + SESSION_MS)).toEqual([3, 1]);
  sessions.unregister(3);
  expect(sessions.nextExpiryMs()).toBe(5000 + SESSION_MS);
  sessions.forgive(1000);
  expect(sessions.nextExpiryMs()).toBe(6000 + SESSION_MS);
  sessions.end(1);
  expect(sessions.expired(0)).toEqual([1]);
});

test("a new controller gives a whole session to whom clients may talk to", () => {
  const sessions = new BrokerSessions(SESSION_MS);
  sessions.inherit(broker(1), 7, 500);
  sessions.inherit(broker(2, "fenced"), 7, 500);
  sessions.inherit(aloneBroker(3), 7, 500);
  sessions.inherit(broker(4, "stopping"), 7, 500);
  const alive = (nowMs: number) => [1, 2, 3, 4].filter((id) => sessions.isAlive(id, nowMs));
  expect(alive(500 + SESSION_MS)).toEqual([1, 4]);
  expect(alive(501 + SESSION_MS)).toEqual([]);
  // The broker that was alone has become a member, whose process is another one.
  expect(sessions.expired(500)).toEqual([3]);
  expect(sessions.stateOf(4)).toBe("stopping");
});

test("a broker that stops goes on until it leads nothing and all others know", () => {
  const beating = new Beating();
  const { sessions } = beating;
  for (const id of [1, 2, 3]) sessions.follow(broker(id), 0, 0);
  beating.offset = 10;
  for (const id of [1, 2, 3]) beating.beat(id);
  expect(beating.beat(1, { wantsShutdown: true }, true)).toBe("stopping");
  expect(sessions.stateOf(1)).toBe("stopping");
  expect(beating.beat(1, { wantsShutdown: true }, true)).toBe("stopping");
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopping");
  beating.beat(2);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopping");
  sessions.applied(3, beating.offset);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopped");
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopped");
  expect(sessions.isAlive(1, 0)).toBe(false);
  expect(sessions.expired(1e9)).toEqual([2, 3]);
});

test("one that leads nothing may stop at once, and so may one that is fenced", () => {
  const beating = new Beating();
  beating.sessions.follow(broker(1), 0, 0);
  beating.sessions.follow(broker(2, "fenced"), 0, 0);
  expect(beating.beat(1, { wantsShutdown: true })).toBe("stopped");
  expect(beating.beat(2, { wantsShutdown: true })).toBe("stopped");
});
