import { describe, expect, test } from "bun:test";
import type { Topics } from "../group.ts";
import { topicIdOf } from "../group.test-helper.ts";
import { configureTopology, StatusCodes } from "./configured-topology.ts";
import { internalTopic, subtopology } from "./streams.test-helper.ts";
import { StreamsTopology, type Subtopology } from "./topology.ts";

/** Topics of these sizes. */
function topicsOf(sizes: Readonly<Record<string, number>>): Topics {
  const view = (name: string) =>
    sizes[name] === undefined
      ? undefined
      : { id: topicIdOf(name), name, partitions: { length: sizes[name] } };
  return { byName: view, byId: () => undefined, all: () => [], version: () => 1 };
}

function configure(sizes: Readonly<Record<string, number>>, ...subtopologies: Subtopology[]) {
  const topology = new StreamsTopology({ epoch: 0, subtopologies });
  const outcome = configureTopology(topology, 1n, topicsOf(sizes));
  if (!outcome.ok) throw new Error(outcome.message);
  return outcome.value;
}

/** The sizes of what is to be created. */
function missing(sizes: Readonly<Record<string, number>>, ...subtopologies: Subtopology[]) {
  const configured = configure(sizes, ...subtopologies);
  return Object.fromEntries(configured.missing.map((each) => [each.name, each.partitions]));
}

const group = (sourceTopics: number[], repartitionSourceTopics: number[]) => ({
  sourceTopics,
  sourceTopicRegex: [],
  repartitionSourceTopics,
});

/** Reads what is repartitioned into `name` and keeps state over it. */
const counts = (id: string, name: string, partitions = 0) =>
  subtopology(id, [], {
    repartitionSourceTopics: [internalTopic(name, partitions)],
    stateChangelogTopics: [internalTopic(`${name}-log`)],
  });

describe("sizes of internal topics", () => {
  test("a repartition topic is as large as the largest source of who writes it", () => {
    const writer = subtopology("0", ["a", "b"], { repartitionSinkTopics: ["r"] });
    expect(missing({ a: 3, b: 7 }, writer, counts("1", "r"))).toEqual({ r: 7, "r-log": 7 });
  });

  test("or as it asks for, and its changelog with it", () => {
    const writer = subtopology("0", ["a"], { repartitionSinkTopics: ["r"] });
    expect(missing({ a: 3 }, writer, counts("1", "r", 5))).toEqual({ r: 5, "r-log": 5 });
  });

  test("through several steps, whatever their order", () => {
    const last = counts("0", "s");
    const middle = { ...counts("1", "r"), repartitionSinkTopics: ["s"] };
    const first = subtopology("2", ["a"], { repartitionSinkTopics: ["r"] });
    expect(missing({ a: 4 }, last, middle, first))
      .toEqual({ r: 4, "r-log": 4, s: 4, "s-log": 4 });
  });

  test("one that is joined with a topic is as large as that", () => {
    const writer = subtopology("0", ["a"], { repartitionSinkTopics: ["r"] });
    const join = subtopology("1", ["b"], {
      repartitionSourceTopics: [internalTopic("r")],
      copartitionGroups: [group([0], [0])],
    });
    expect(missing({ a: 8, b: 2 }, writer, join)).toEqual({ r: 2 });
  });

  test("those that are joined with each other follow the one with a size, else the largest", () => {
    const writers = [
      subtopology("0", ["a"], { repartitionSinkTopics: ["r"] }),
      subtopology("1", ["b"], { repartitionSinkTopics: ["s"] }),
    ];
    const join = (size: number) =>
      subtopology("2", [], {
        repartitionSourceTopics: [internalTopic("r"), internalTopic("s", size)],
        copartitionGroups: [group([], [0, 1])],
      });
    expect(missing({ a: 8, b: 2 }, ...writers, join(0))).toEqual({ r: 8, s: 8 });
    expect(missing({ a: 8, b: 2 }, ...writers, join(3))).toEqual({ r: 3, s: 3 });
  });

  test("a size that something else asks for elsewhere binds nobody who is not joined with it", () => {
    const writers = subtopology("0", ["a"], { repartitionSinkTopics: ["r", "s", "u"] });
    const join = subtopology("1", [], {
      repartitionSourceTopics: [internalTopic("r", 2), internalTopic("s")],
      copartitionGroups: [group([], [0, 1])],
    });
    expect(missing({ a: 8 }, writers, join, counts("2", "u", 5)))
      .toEqual({ r: 2, s: 2, u: 5, "u-log": 5 });
  });

  test("what exists is not created, and tasks are counted over the largest source", () => {
    const both = subtopology("0", ["a", "b"], { stateChangelogTopics: [internalTopic("l")] });
    const configured = configure({ a: 2, b: 6, l: 6 }, both);
    expect([configured.missing, configured.problem]).toEqual([[], null]);
    expect(configured.subtopologies).toMatchObject([{ id: "0", taskCount: 6, isStateful: true }]);
  });
});

describe("topics that do not fit", () => {
  const join = subtopology("0", ["a", "b"], { copartitionGroups: [group([0, 1], [])] });
  const asked = subtopology("1", ["a"], {
    repartitionSourceTopics: [internalTopic("r", 5)],
    copartitionGroups: [group([0], [0])],
  });
  const writer = subtopology("0", ["b"], { repartitionSinkTopics: ["r"] });
  const logged = subtopology("0", ["a"], { stateChangelogTopics: [internalTopic("l")] });
  const wrong = StatusCodes.INCORRECTLY_PARTITIONED_TOPICS;
  const absent = StatusCodes.MISSING_SOURCE_TOPICS;
  for (
    const [what, sizes, subtopologies, code, detail] of [
      ["joined and of different sizes", { a: 2, b: 3 }, [join], wrong, "[{a=2, b=3}]"],
      ["asked for another size", { a: 2, b: 3 }, [writer, asked], wrong, "[5] of repartition"],
      ["a changelog of another size", { a: 2, l: 3 }, [logged], wrong, "expected 2, found 3"],
      ["a source is missing", { a: 2 }, [join], absent, "Source topics b are missing."],
      ["all are", {}, [join, asked], absent, "Source topics a, b are missing."],
    ] as const
  ) {
    test(what, () => {
      const { problem, subtopologies: none } = configure(sizes, ...subtopologies);
      expect([problem?.statusCode, none]).toEqual([code, null]);
      expect(problem?.statusDetail).toContain(detail);
    });
  }
});
