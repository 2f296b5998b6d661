/** Both checkers of lists in transactions see what must not be, and nothing else. */
import { expect, test } from "bun:test";
import { linearizabilityProblem } from "./history.ts";
import { chainProblems, type ListOperation, listProblems } from "./lists-history.ts";

/** Operations one after the other, unless times are given. */
class Story {
  readonly all: ListOperation[] = [];
  #ns = 100;
  readonly #last = new Map<string, number>();

  append(transaction: string | null, list: string, value: string, offset: number | null): this {
    const [callNs, returnNs] = this.#tick();
    this.all.push({
      type: "append",
      process: 1,
      list,
      value,
      transaction,
      offset,
      callNs,
      returnNs,
    });
    return this;
  }

  end(transaction: string, outcome: "committed" | "aborted" | "unknown" = "committed"): this {
    const [callNs, doneNs] = this.#tick();
    this.all.push({ type: "end", process: 1, transaction, outcome, beginNs: 0, callNs, doneNs });
    return this;
  }

  read(list: string, value: string, offset: number, reader = 2): this {
    const key = `${reader} ${list}`;
    const after = this.#last.get(key) ?? -1;
    this.#last.set(key, offset);
    const [callNs, returnNs] = this.#tick();
    this.all.push({ type: "read", process: reader, list, value, offset, after, callNs, returnNs });
    return this;
  }

  final(list: string, count: number): this {
    const [callNs, returnNs] = this.#tick();
    this.all.push({ type: "final", process: 3, list, count, callNs, returnNs });
    return this;
  }

  #tick(): [number, number] {
    this.#ns += 10;
    return [this.#ns, this.#ns + 5];
  }
}

const SOUND: [string, Story][] = [
  [
    "two transactions, interleaved in both lists, in one order here and in the other there",
    new Story().append("s", "a", "1", 0).append("t", "b", "2", 0).append("t", "a", "3", 1)
      .append("s", "b", "4", 1).end("s").end("t")
      .read("a", "1", 0).read("a", "3", 1).read("b", "2", 0).read("b", "4", 1)
      .final("a", 2).final("b", 2),
  ],
  [
    "half of a transaction, seen in one list and not yet in the other, nor behind an open one",
    new Story().append("s", "a", "1", 0).append("t", "a", "2", 1).append("s", "a", "3", 2)
      .append("s", "b", "4", 0).end("s").read("a", "1", 0).end("t").read("a", "2", 1)
      .read("a", "3", 2).read("b", "4", 0).final("a", 3).final("b", 1),
  ],
  [
    "an unknown outcome, there as a whole; another one, not there; an abort; a plain record",
    new Story().append("s", "a", "1", 0).append("s", "b", "2", 0).end("s", "unknown")
      .append("t", "a", "3", 2).append("t", "b", "4", 2).end("t", "unknown")
      .append("u", "a", "5", 4).end("u", "aborted").append(null, "a", "6", 6)
      .read("a", "1", 0).read("b", "2", 0).read("a", "6", 6).final("a", 2).final("b", 1),
  ],
  [
    "an acknowledgement without an offset",
    new Story().append("s", "a", "1", null).end("s").read("a", "1", 5).final("a", 1),
  ],
];

const BROKEN: [string, Story][] = [
  [
    "a value of an aborted transaction",
    new Story().append("s", "a", "1", 0).end("s", "aborted").read("a", "1", 0).final("a", 1),
  ],
  [
    "a value before its commit was asked for",
    new Story().append("s", "a", "1", 0).read("a", "1", 0).end("s").final("a", 1),
  ],
  [
    "half of a transaction for good",
    new Story().append("s", "a", "1", 0).append("s", "b", "2", 0).end("s").read("a", "1", 0)
      .final("a", 1).final("b", 0),
  ],
  [
    "half of one whose outcome is unknown",
    new Story().append("s", "a", "1", 0).append("s", "b", "2", 0).end("s", "unknown")
      .read("a", "1", 0).final("a", 1).final("b", 0),
  ],
  [
    "a reader that was let past an open transaction, whose value appears later",
    new Story().append("s", "a", "1", 0).append("t", "a", "2", 1).end("t").read("a", "2", 1)
      .end("s").read("a", "1", 0, 4).read("a", "2", 1, 4).final("a", 2),
  ],
  [
    "a value that vanishes",
    new Story().append("s", "a", "1", 0).append("s", "a", "2", 1).end("s")
      .read("a", "1", 0).read("a", "2", 1).read("a", "2", 1, 4).final("a", 2),
  ],
  [
    "a value at two places",
    new Story().append("s", "a", "1", 0).end("s").read("a", "1", 0).read("a", "1", 2).final("a", 2),
  ],
  [
    "two values at one place",
    new Story().append("s", "a", "1", 0).end("s").append("t", "a", "2", 0).end("t")
      .read("a", "1", 0).read("a", "2", 0, 4).final("a", 2),
  ],
  [
    "a value elsewhere than acknowledged",
    new Story().append("s", "a", "1", 0).end("s").read("a", "1", 1).final("a", 1),
  ],
  [
    "a value that nobody has appended",
    new Story().append("s", "a", "1", 0).end("s").read("a", "1", 0).read("a", "x", 2).final("a", 2),
  ],
  [
    "appends out of order",
    new Story().append("s", "a", "1", 1).append("s", "a", "2", 0).end("s")
      .read("a", "2", 0).read("a", "1", 1).final("a", 2),
  ],
  [
    "another count in the end",
    new Story().append("s", "a", "1", 0).end("s").read("a", "1", 0).final("a", 2),
  ],
];

for (const [name, { all }] of SOUND) {
  test(`a sound history is found sound: ${name}`, async () => {
    expect(listProblems(all)).toEqual([]);
    expect(await linearizabilityProblem(all, "lists")).toBeNull();
  });
}

for (const [name, { all }] of BROKEN) {
  test(`a broken history is found broken: ${name}`, async () => {
    expect(listProblems(all)).not.toEqual([]);
    expect(await linearizabilityProblem(all, "lists")).not.toBeNull();
  });
}

test("a chain has each value once and in order", () => {
  const source = () => new Story().read("in", "x", 0).read("in", "y", 1).read("in", "z", 3);
  const made = (story: Story, ...values: string[]) => {
    values.forEach((value, index) => story.read("out", value, index * 2));
    return chainProblems(story.all, "in", "out");
  };
  expect(made(source(), "x@1", "y@1", "z@7")).toEqual([]);
  expect(made(source(), "x@1", "y@1")).not.toEqual([]);
  expect(made(source(), "x@1", "y@1", "y@2", "z@3")).not.toEqual([]);
  expect(made(source(), "y@1", "x@1", "z@3")).not.toEqual([]);
  expect(made(source(), "x@1", "y@1", "z@3", "z@4")).not.toEqual([]);
});
