import { expect, test } from "bun:test";
import { ConnectionError } from "../core/connection.ts";
import { connectFailure } from "../core/connection-error.ts";
import { UnknownPartitionError } from "../client/errors.ts";
import { OperatorError } from "../core/operator-error.ts";
import { parseBrokers, toOperatorError } from "./client.ts";

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

test("a broker that has not answered was there, unless it did not even tell its versions", () => {
  const whatOf = (unansweredApi: string | null) => {
    const options = unansweredApi === null ? {} : { unansweredApi };
    const address = { host: "b", port: 9092 };
    return toOperatorError(new ConnectionError("timeout", address, "b:9092 …", options))?.what;
  };
  expect(whatOf("Produce")).toBe("gave up");
  expect(whatOf("ApiVersions")).toBe("no broker answers");
  expect(whatOf(null)).toBe("no broker answers");
});

test("what can be mended is said with what to do", () => {
  const unresolved = new Error("getaddrinfo ENOTFOUND b");
  const nameless = connectFailure({ host: "b", port: 9092 }, unresolved, undefined);
  expect(toOperatorError(nameless)?.message).toContain("nobody knows this name");
  expect(toOperatorError(nameless)?.whatToDo).toContain("check --brokers");
  expect(toOperatorError(new UnknownPartitionError("orders", 3, 2))?.message).toBe(
    'topic "orders" has no partition 3: it has 0 to 1: kstream topic alter orders -p 4 adds what lacks',
  );
});
