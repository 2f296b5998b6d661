/** Both checkers of groups see what must not be, and nothing else. */
import { expect, test } from "bun:test";
import { type GroupOperation, groupProblems } from "./groups-history.ts";
import { linearizabilityProblem } from "./history.ts";

const CONTENTS = new Map([[0, new Map([[0, "a"], [1, "b"], [2, "c"], [4, "d"]])]]);

class Story {
  readonly all: GroupOperation[] = [];
  #ns = 100;

  start(stay: number, offset: number): this {
    return this.#add((common) => ({ type: "start", ...common }), stay, offset);
  }

  /** All records below `to`, from `from` on. */
  deliver(stay: number, from: number, to: number): this {
    for (const [offset, value] of CONTENTS.get(0) ?? []) {
      if (offset < from || offset >= to) continue;
      this.#add((common) => ({ type: "deliver", ...common, value }), stay, offset);
    }
    return this;
  }

  commit(
    stay: number,
    offset: number,
    outcome: "acknowledged" | "refused" | "unknown" = "acknowledged",
  ): this {
    return this.#add(
      (common) => ({
        type: "commit",
        ...common,
        outcome,
        returnNs: outcome === "acknowledged" ? common.returnNs : null,
      }),
      stay,
      offset,
    );
  }

  final(offset = 5): this {
    return this.#add((common) => ({ type: "final", ...common }), -1, offset);
  }

  #add(
    make: (common: Pick<GroupOperation, "offset" | "stay"> & Times) => GroupOperation,
    stay: number,
    offset: number,
  ): this {
    this.#ns += 10;
    const times = { callNs: this.#ns, returnNs: this.#ns + 5 };
    this.all.push(make({ process: stay, group: "g", partition: 0, offset, stay, ...times }));
    return this;
  }
}

interface Times {
  readonly process: number;
  readonly group: string;
  readonly partition: number;
  readonly callNs: number;
  readonly returnNs: number;
}

const SOUND: [string, Story][] = [
  [
    "one member after the other",
    new Story().start(1, 0).deliver(1, 0, 2).commit(1, 2).start(2, 2).deliver(2, 2, 5)
      .commit(1, 2, "refused").commit(2, 5).final(),
  ],
  [
    "a commit that was done without its member knowing",
    new Story().start(1, 0).deliver(1, 0, 2).commit(1, 2, "unknown").start(2, 2).deliver(2, 2, 5)
      .commit(2, 5).final(),
  ],
  [
    "a commit that was not done, records again, and a stay that began at an old offset and is refused",
    new Story().start(1, 0).deliver(1, 0, 2).commit(1, 2, "unknown").start(2, 0).deliver(2, 0, 5)
      .start(3, 0).deliver(3, 0, 1).commit(2, 5).commit(3, 1, "refused").final(),
  ],
];

/** The last says whether it is seen in the commits alone. */
const BROKEN: [string, Story, boolean][] = [
  [
    "a record that is skipped",
    new Story().start(1, 0).deliver(1, 0, 1).deliver(1, 2, 5).commit(1, 5).final(),
    false,
  ],
  [
    "a commit of what was not handed out",
    new Story().start(1, 0).deliver(1, 0, 1).commit(1, 2).start(2, 2).deliver(2, 2, 5).commit(2, 5)
      .final(),
    false,
  ],
  [
    "a stay that begins where nobody has committed",
    new Story().start(1, 0).deliver(1, 0, 5).start(2, 2).deliver(2, 2, 5).commit(1, 5).final(),
    true,
  ],
  [
    "an offset that goes back",
    new Story().start(1, 0).deliver(1, 0, 5).commit(1, 5).commit(1, 4).commit(1, 5).final(),
    true,
  ],
  [
    "two members that both commit",
    new Story().start(1, 0).start(2, 0).deliver(1, 0, 5).deliver(2, 0, 5).commit(1, 1).commit(2, 2)
      .commit(1, 5).final(),
    true,
  ],
  [
    "a zombie that commits",
    new Story().start(1, 0).deliver(1, 0, 2).commit(1, 1).start(2, 1).deliver(2, 1, 5).commit(2, 1)
      .commit(1, 2).commit(2, 5).final(),
    true,
  ],
  [
    "a commit that is lost",
    new Story().start(1, 0).deliver(1, 0, 5).commit(1, 5).final(2),
    true,
  ],
];

for (const [name, { all }] of SOUND) {
  test(`a sound history is found sound: ${name}`, async () => {
    expect(groupProblems(all, CONTENTS)).toEqual([]);
    expect(await linearizabilityProblem(all, "commits")).toBeNull();
  });
}

for (const [name, { all }, byCommits] of BROKEN) {
  test(`a broken history is found broken: ${name}`, async () => {
    expect(groupProblems(all, CONTENTS)).not.toEqual([]);
    if (byCommits) expect(await linearizabilityProblem(all, "commits")).not.toBeNull();
  });
}
