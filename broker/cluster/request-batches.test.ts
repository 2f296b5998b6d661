import { expect, test } from "bun:test";
import { Connection, ConnectionError } from "../../core/connection.ts";
import { FakeBroker } from "../../client/fake-broker.test-helper.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { RequestBatches } from "./request-batches.ts";

/** Numbers that are sent to brokers, which answer when the test says so. */
function setUp() {
  const clock = new SimClock(0);
  const network = new FakeBroker(clock, {});
  const requests: { items: readonly number[]; answer: (() => void) | null }[] = [];
  let unreachable = false;
  const batches = new RequestBatches<number, string>({
    peers: {
      connect: (brokerId) => {
        const refusal = new ConnectionError("refused", network.address, `no broker ${brokerId}`);
        return unreachable
          ? Promise.reject(refusal)
          : Connection.open({ clock, network }, network.address, { clientId: "test" });
      },
    },
    use: "numbers",
    itemsMax: 3,
    keyOf: (item) => String(item % 10),
    send: (_connection, items, signal) =>
      new Promise((resolve, reject) => {
        const request: typeof requests[number] = { items, answer: null };
        request.answer = () => resolve(items.map((item) => `answer ${item}`));
        requests.push(request);
        signal.addEventListener("abort", () => {
          reject(new ConnectionError("aborted", network.address, "aborted"));
        });
      }),
    unanswered: "nothing",
  });
  const answers: string[] = [];
  const ask = (broker: number, ...items: number[]) => {
    for (const item of items) void batches.ask(broker, item).then((answer) => answers.push(answer));
    clock.advance(100);
  };
  const answer = () => {
    requests.at(-1)?.answer?.();
    clock.advance(100);
  };
  const sent = () => requests.map(({ items }) => items);
  return { batches, ask, answer, answers, sent, fail: () => unreachable = true };
}

test("what is asked while a request is under way goes with the next, in its order and within bounds", () => {
  const { ask, answer, answers, sent } = setUp();
  ask(1, 1, 2, 3, 4, 5);
  // The first goes alone, since nobody waits for more.
  expect(sent()).toEqual([[1]]);
  answer();
  expect(sent()).toEqual([[1], [2, 3, 4]]);
  answer();
  answer();
  expect(sent()).toEqual([[1], [2, 3, 4], [5]]);
  expect(answers).toEqual([1, 2, 3, 4, 5].map((item) => `answer ${item}`));
});

test("things of the same key keep their order in requests of their own", () => {
  const { ask, answer, sent } = setUp();
  ask(1, 1, 2, 12, 3, 22, 4);
  for (let round = 0; round < 5; round++) answer();
  expect(sent()).toEqual([[1], [2, 3, 4], [12], [22]]);
});

test("brokers do not wait for one another", () => {
  const { ask, sent } = setUp();
  ask(1, 1, 2);
  ask(2, 3);
  expect(sent()).toEqual([[1], [3]]);
});

test("a broker that is gone leaves all unanswered, and is asked again by who comes later", () => {
  const { batches, ask, answer, answers, sent, fail } = setUp();
  ask(1, 1, 2, 3);
  batches.abandon(1);
  batches.abandon(2);
  ask(1);
  ask(1, 4);
  expect(answers).toEqual(["nothing", "nothing", "nothing"]);
  expect(sent()).toEqual([[1], [4]]);
  answer();
  expect(answers.at(-1)).toBe("answer 4");
  fail();
  ask(1, 5, 6);
  expect(answers.slice(4)).toEqual(["nothing", "nothing"]);
});
