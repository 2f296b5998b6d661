import { describe, expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import {
  FetchSessions,
  type FetchTarget,
  FINAL_EPOCH,
  INITIAL_EPOCH,
  SessionPartition,
  type SessionRequest,
} from "./fetch-session.ts";

function setUp(limits = { slots: 2, evictionMs: 1000 }) {
  const time = { nowMs: 0 };
  const clock = {
    wallMs: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    setTimer: () => ({ cancel: () => {} }),
  };
  let next = 41;
  const random = { below: () => next++, bytes: (count: number) => new Uint8Array(count) };
  return { time, sessions: new FetchSessions(clock, random, limits) };
}

function target(topic: string, partition: number, fetchOffset = 0): FetchTarget {
  return {
    topic,
    topicId: "",
    partition,
    maxBytes: 1000,
    fetchOffset,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
  };
}

function request(overrides: Partial<SessionRequest>): SessionRequest {
  return {
    sessionId: 0,
    sessionEpoch: INITIAL_EPOCH,
    usesTopicIds: false,
    targets: [],
    forgotten: [],
    ...overrides,
  };
}

function open(sessions: FetchSessions, ...targets: FetchTarget[]) {
  const plan = sessions.plan(request({ targets }));
  if (plan.kind !== "full") throw new Error(`expected a full fetch, got ${plan.kind}`);
  return sessions.open(plan.partitions, false);
}

describe("fetch sessions", () => {
  test("an incremental request keeps what it does not name, and changes what it names", () => {
    const { sessions } = setUp();
    const id = open(sessions, target("a", 0), target("a", 1))?.id ?? 0;
    const plan = sessions.plan(request({
      sessionId: id,
      sessionEpoch: 1,
      targets: [target("a", 1, 7), target("b", 0)],
      forgotten: [{ topic: "a", topicId: "", partition: 0 }],
    }));
    expect(plan.kind).toBe("incremental");
    if (plan.kind !== "incremental") return;
    expect(
      plan.partitions.map(({ target }) => [target.topic, target.partition, target.fetchOffset]),
    )
      .toEqual([["a", 1, 7], ["b", 0, 0]]);
    expect(plan.epoch).toBe(2);
  });

  test("each request must carry the next epoch", () => {
    const { sessions } = setUp();
    const sessionId = open(sessions, target("a", 0))?.id ?? 0;
    expect(sessions.plan(request({ sessionId, sessionEpoch: 2 })))
      .toEqual({ kind: "error", error: Errors.INVALID_FETCH_SESSION_EPOCH });
    expect(sessions.plan(request({ sessionId, sessionEpoch: 1 })).kind).toBe("incremental");
    expect(sessions.plan(request({ sessionId, sessionEpoch: 1 })))
      .toEqual({ kind: "error", error: Errors.INVALID_FETCH_SESSION_EPOCH });
  });

  test("the epoch after the largest is 1", () => {
    const { sessions } = setUp();
    const session = open(sessions, target("a", 0));
    if (session === null) throw new Error("no session");
    session.epoch = 0x7fffffff;
    const plan = sessions.plan(request({ sessionId: session.id, sessionEpoch: 0x7fffffff }));
    expect(plan).toMatchObject({ kind: "incremental", epoch: 1 });
  });

  test("a session that is not there, and one of the other kind of topic names, are refused", () => {
    const { sessions } = setUp();
    const sessionId = open(sessions, target("a", 0))?.id ?? 0;
    expect(sessions.plan(request({ sessionId: sessionId + 1, sessionEpoch: 1 })))
      .toEqual({ kind: "error", error: Errors.FETCH_SESSION_ID_NOT_FOUND });
    expect(sessions.plan(request({ sessionId, sessionEpoch: 1, usesTopicIds: true })))
      .toEqual({ kind: "error", error: Errors.FETCH_SESSION_TOPIC_ID_ERROR });
  });

  test("the final epoch closes the session and serves the request without one", () => {
    const { sessions } = setUp();
    const sessionId = open(sessions, target("a", 0))?.id ?? 0;
    const last = sessions.plan(
      request({ sessionId, sessionEpoch: FINAL_EPOCH, targets: [target("a", 0)] }),
    );
    expect(last).toMatchObject({ kind: "sessionless" });
    expect(sessions.size).toBe(0);
  });

  test("the end of a session ends the wait of the fetch in it", () => {
    const { sessions } = setUp();
    const [one, other] = [open(sessions, target("a", 0)), open(sessions, target("a", 1))];
    let ended = 0;
    one?.waiting(() => ended++)();
    one?.waiting(() => ended++);
    other?.waiting(() => ended++);
    sessions.plan(request({ sessionId: one?.id ?? 0, sessionEpoch: FINAL_EPOCH }));
    expect(ended).toBe(1);
  });

  test("a session whose last partition is forgotten is closed", () => {
    const { sessions } = setUp();
    const sessionId = open(sessions, target("a", 0))?.id ?? 0;
    const forgotten = [{ topic: "a", topicId: "", partition: 0 }];
    expect(sessions.plan(request({ sessionId, sessionEpoch: 1, forgotten })))
      .toEqual({ kind: "sessionless", partitions: [] });
    expect(sessions.size).toBe(0);
  });

  test("a full cache takes a new session only from one that is idle, or smaller and old", () => {
    const { sessions, time } = setUp();
    const small = open(sessions, target("a", 0))?.id ?? 0;
    const large = open(sessions, target("a", 0), target("a", 1))?.id ?? 0;
    expect(open(sessions, target("b", 0), target("b", 1), target("b", 2))).toBeNull();
    expect(sessions.size).toBe(2);

    time.nowMs = 900;
    sessions.plan(request({ sessionId: small, sessionEpoch: 1 }));
    sessions.plan(request({ sessionId: large, sessionEpoch: 1 }));
    time.nowMs = 1100;
    expect(open(sessions, target("b", 0))).toBeNull();
    expect(open(sessions, target("b", 0), target("b", 1))).not.toBeNull();
    expect(sessions.plan(request({ sessionId: small, sessionEpoch: 2 })).kind).toBe("error");

    time.nowMs = 5000;
    expect(open(sessions, target("c", 0))).not.toBeNull();
    expect(sessions.plan(request({ sessionId: large, sessionEpoch: 2 })).kind).toBe("error");
  });

  test("clients make room for brokers, and brokers for clients only when they are gone", () => {
    const { time, sessions } = setUp({ slots: 1, evictionMs: 1000 });
    const session = (isFollower: boolean) =>
      sessions.open([new SessionPartition(target("a", 0))], true, isFollower);
    expect(session(false)).not.toBeNull();
    expect(session(true)).not.toBeNull();
    expect(session(false)).toBeNull();
    time.nowMs += 5000;
    expect(session(false)).not.toBeNull();
    expect(sessions.size).toBe(1);
  });

  test("no slots, no sessions", () => {
    const { sessions } = setUp({ slots: 0, evictionMs: 0 });
    expect(open(sessions, target("a", 0))).toBeNull();
  });

  test("a partition that was served goes behind the others", () => {
    const { sessions } = setUp();
    const session = open(sessions, target("a", 0), target("a", 1));
    if (session === null) throw new Error("no session");
    const [first] = session.partitions.values();
    session.rotate(first);
    expect([...session.partitions.keys()]).toEqual(["a:1", "a:0"]);
    session.partitions.delete("a:0");
    session.rotate(first);
    expect([...session.partitions.keys()]).toEqual(["a:1"]);
  });
});
