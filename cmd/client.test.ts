import { expect, test } from "bun:test";
import { OperatorError } from "../core/operator-error.ts";
import { parseBrokers } from "./client.ts";

test("broker lists are parsed", () => {
  expect(parseBrokers("a:1,b, [::1]:9093,[fe80::1]")).toEqual([
    { host: "a", port: 1 },
    { host: "b", port: 9092 },
    { host: "::1", port: 9093 },
    { host: "fe80::1", port: 9092 },
  ]);
});

test("what is no broker address is refused as usage", () => {
  for (const text of ["", ",", "a:0", "a:70000", "a:b", "::1", "http://a:1", "a b"]) {
    expect(() => parseBrokers(text)).toThrow(OperatorError);
  }
});
