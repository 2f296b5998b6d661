import { expect, test } from "bun:test";
import { didYouMean } from "./did-you-mean.ts";

test("typing errors find what was meant", () => {
  const words = ["topic", "produce", "consume", "retention.ms", "retention.bytes"];
  expect(didYouMean("topci", words)).toBe("topic");
  expect(didYouMean("Topic", words)).toBe("topic");
  expect(didYouMean("prodcue", words)).toBe("produce");
  expect(didYouMean("retention.mss", words)).toBe("retention.ms");
  expect(didYouMean("retenton.byte", words)).toBe("retention.bytes");
});

test("words that nobody could have meant get no suggestion", () => {
  expect(didYouMean("list", ["topic", "produce"])).toBeNull();
  expect(didYouMean("x", ["topic"])).toBeNull();
  expect(didYouMean("t".repeat(300), ["t".repeat(300)])).toBeNull();
});

test("nobody is told to mean what was typed, should it be there by now", () => {
  expect(didYouMean("orders", ["orders", "borders"])).toBe("borders");
  expect(didYouMean("orders", ["orders"])).toBeNull();
});
