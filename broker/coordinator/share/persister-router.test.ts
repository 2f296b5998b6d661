import { expect, test } from "bun:test";
import { type ErrorCode, errorName, Errors } from "../../../core/errors.ts";
import { SimClock } from "../../../tests/sim/sim-clock.ts";
import { PersisterRouter } from "./persister-router.ts";
import { shareKey, shareWrite } from "./share.test-helper.ts";
import { shareFailure } from "./share-shard.ts";

const HERE = 1;

/** Notes who is asked, in the order of the questions, and answers as the test says. */
function setUp() {
  const clock = new SimClock(0);
  const asked: string[] = [];
  const world = {
    leader: 2 as number | undefined,
    closed: false,
    /** What the next answers are; then NONE. */
    errors: [] as ErrorCode[],
  };
  const answer = async (what: string) => {
    asked.push(what);
    await new Promise<void>((resolve) => clock.setTimer(10, resolve));
    return shareFailure(world.errors.shift() ?? Errors.NONE);
  };
  const unknown = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1 };
  const persister = (broker: number | "here") => ({
    initialize: () => answer(`initialize ${broker}`),
    read: async () => ({ ...await answer(`read ${broker}`), ...unknown, stateBatches: [] }),
    write: (_key: unknown, write: { startOffset: number }) =>
      answer(`write ${write.startOffset} ${broker}`),
    delete: () => answer(`delete ${broker}`),
    summary: async () => ({ ...await answer(`summary ${broker}`), ...unknown }),
  });
  const router = new PersisterRouter({
    clock,
    nodeId: HERE,
    local: {
      ...persister("here"),
      find: () => Promise.resolve({ ok: true, value: world.leader ?? -1 }),
      leaderOf: () => world.leader,
      get closed() {
        return world.closed;
      },
    },
    remote: {
      initialize: (broker) => persister(broker).initialize(),
      read: (broker) => persister(broker).read(),
      write: (broker, key, write) => persister(broker).write(key, write),
      delete: (broker) => persister(broker).delete(),
      summary: (broker) => persister(broker).summary(),
    },
    timeoutMs: () => 5000,
  });
  const outcomes: string[] = [];
  const write = (startOffset: number, partition = 0) =>
    void router.write(shareKey(partition), shareWrite({ startOffset })).then(({ errorCode }) =>
      outcomes.push(`${startOffset} ${errorName(errorCode)}`)
    );
  return { clock, asked, world, router, outcomes, write };
}

test("what is asked here is asked at once, and answered once", () => {
  const { asked, world, write, clock, outcomes } = setUp();
  world.leader = HERE;
  world.errors = [Errors.COORDINATOR_LOAD_IN_PROGRESS];
  write(1);
  write(2);
  expect(asked).toEqual(["write 1 here", "write 2 here"]);
  clock.advance(10_000);
  expect(outcomes).toEqual(["1 COORDINATOR_LOAD_IN_PROGRESS", "2 NONE"]);
});

test("a write that is sent again comes before the next of its share partition", () => {
  const { asked, world, write, clock, outcomes } = setUp();
  world.errors = [Errors.NETWORK_EXCEPTION, Errors.NONE, Errors.NOT_COORDINATOR];
  write(1);
  write(2);
  write(9, 1);
  clock.advance(10);
  expect(asked).toEqual(["write 1 2", "write 9 2"]);
  clock.advance(20);
  expect(outcomes).toEqual(["9 NONE"]);
  // The coordinator moves here in the meantime.
  world.leader = HERE;
  clock.advance(10_000);
  expect(asked.slice(2)).toEqual(["write 1 here", "write 1 here", "write 2 here"]);
  expect(outcomes.slice(1)).toEqual(["1 NONE", "2 NONE"]);
});

test("errors that do not pass are answered at once, others after a while", () => {
  const { asked, world, write, clock, outcomes } = setUp();
  world.errors = [Errors.FENCED_LEADER_EPOCH];
  write(1);
  clock.advance(20);
  expect(outcomes).toEqual(["1 FENCED_LEADER_EPOCH"]);
  world.leader = -1;
  write(2);
  clock.advance(4000);
  expect(outcomes.length).toBe(1);
  clock.advance(2000);
  expect(outcomes.slice(1)).toEqual(["2 COORDINATOR_NOT_AVAILABLE"]);
  world.leader = 2;
  world.errors = Array.from({ length: 100 }, () => Errors.NETWORK_EXCEPTION);
  write(3);
  clock.advance(6000);
  expect(outcomes.slice(2)).toEqual(["3 COORDINATOR_NOT_AVAILABLE"]);
  expect(asked.length).toBeLessThan(20);
});

test("where nothing is persisted yet, or the broker stops, nobody waits", () => {
  const { world, write, clock, outcomes } = setUp();
  world.leader = undefined;
  write(1);
  clock.advance(1);
  expect(outcomes).toEqual(["1 NOT_COORDINATOR"]);
  world.leader = -1;
  world.closed = true;
  write(2);
  clock.advance(1);
  expect(outcomes.slice(1)).toEqual(["2 COORDINATOR_NOT_AVAILABLE"]);
});
