import { expect, test } from "bun:test";
import { resetTopics } from "./reset-topics.ts";

const topics = [
  "lines",
  "middle",
  "matching",
  "own",
  "shop-notes",
  "shop-counts-changelog",
  "shop-by-word-repartition",
  "shop-old-changelog",
  "shop-eu-counts-changelog",
  "shopping-counts-changelog",
];
const wish = { inputs: null, intermediates: [], orphans: false };

test("with a topology its own topics are touched, and what is left of others when it is asked for", () => {
  const app = {
    applicationId: "shop",
    topology: {
      inputs: ["lines", "gone"],
      intermediates: ["middle"],
      internals: ["shop-counts-changelog", "shop-by-word-repartition", "shop-new-changelog"],
      matches: (topic: string) =>
        topic === "matching" ? "input" as const : topic === "own" ? "intermediate" as const : null,
    },
  };
  expect(resetTopics(app, wish, topics, ["shop", "shop-eu"])).toEqual({
    inputs: ["lines", "matching"],
    intermediates: ["middle", "own"],
    internals: ["shop-by-word-repartition", "shop-counts-changelog"],
    spared: ["shop-eu-counts-changelog", "shop-old-changelog"],
  });
  const all = resetTopics(app, { ...wish, orphans: true }, topics, ["shop", "shop-eu"]);
  expect(all.internals).toContain("shop-old-changelog");
  expect(all.spared).toEqual(["shop-eu-counts-changelog"]);
});

test("with an id alone internal topics go by their names, but for those of other applications", () => {
  const app = { applicationId: "shop", topology: null };
  const named = { ...wish, inputs: ["lines"], intermediates: ["middle"] };
  expect(resetTopics(app, named, topics, ["shop-eu"])).toEqual({
    inputs: ["lines"],
    intermediates: ["middle"],
    internals: ["shop-by-word-repartition", "shop-counts-changelog", "shop-old-changelog"],
    spared: ["shop-eu-counts-changelog"],
  });
});
