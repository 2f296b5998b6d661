import { expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { type ShareSession, ShareSessions } from "./share-sessions.ts";

function opened(sessions: ShareSessions, memberId: string): ShareSession {
  const session = sessions.open("g", memberId, 1);
  if (typeof session === "number") throw new Error(`not opened: ${session}`);
  return session;
}

test("a session ends when it is closed and when another takes its place", () => {
  const sessions = new ShareSessions(() => 10);
  const first = opened(sessions, "m");
  const second = opened(sessions, "m");
  expect([first.ended.aborted, second.ended.aborted]).toEqual([true, false]);
  sessions.close(first);
  expect(sessions.isCurrent(second)).toBe(true);
  expect(sessions.hasMember(first)).toBe(true);
  sessions.close(second);
  expect(second.ended.aborted).toBe(true);
  expect([sessions.hasMember(first), sessions.size]).toEqual([false, 0]);
});

test("there are as many as allowed, and a member that opens anew needs no further place", () => {
  const sessions = new ShareSessions(() => 1);
  opened(sessions, "m");
  opened(sessions, "m");
  expect(sessions.open("g", "n", 1)).toBe(Errors.SHARE_SESSION_LIMIT_REACHED);
});
