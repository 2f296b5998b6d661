import { expect, test } from "bun:test";
import { match } from "./router.ts";

test("patterns take paths apart, whatever is in a name", () => {
  expect(match("/topics", "/topics")).toEqual({});
  expect(match("/topics", "/topics/")).toEqual({});
  expect(match("/topics", "/topics/a")).toBe(null);
  expect(match("/topics/:topic/:tab?", "/topics/a")).toEqual({ topic: "a" });
  expect(match("/topics/:topic/:tab?", "/topics/a%2Fb%20c/messages"))
    .toEqual({ topic: "a/b c", tab: "messages" });
  expect(match("/topics/:topic/:tab?", "/topics/100%")).toEqual({ topic: "100%" });
  expect(match("/topics/:topic/:tab?", "/topics")).toBe(null);
});
