import { expect, test } from "bun:test";
import { RecordScope } from "../../../core/expression/expression.ts";
import { compileExpression } from "../../../core/expression/expression.ts";
import { readQuery, type Scope, scopeOf, startVector, whereOf } from "./scope.ts";

const scope = (text: string): Scope => scopeOf(new URLSearchParams(text));

test("the address says where a read begins", () => {
  const from = (text: string) => readQuery(scope(text), 67)["from"];
  expect(from("")).toBe("-67");
  expect(from("start=oldest")).toBe("start");
  expect(from("start=offset&at=42")).toBe("42");
  expect(from("start=offset")).toBe("0");
  expect(from("start=time&at=yesterday")).toBe("yesterday");
  expect(from("start=nonsense")).toBe("-67");
  expect(startVector(scope("start=offset&at=0:41,1:17"))).toBe("0:41,1:17");
  expect(startVector(scope("start=offset&at=41"))).toBe("");
});

test("a text is searched in key, value and headers by the expression too", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  const holds = (where: string, key: string | null, value: string | null, header: string) => {
    const record = new RecordScope();
    record.set({
      offset: 1,
      timestamp: 1,
      key: () => key === null ? null : encode(key),
      value: () => value === null ? null : encode(value),
      headers: () => [["trace", encode(header)], ["none", null], ["raw", new Uint8Array([255, 0])]],
    }, { topic: "t", partition: 0 });
    return compileExpression(where).test(record);
  };
  const where = whereOf(scope(`q=${encodeURIComponent('a"b')}`));
  expect(holds(where, 'xa"bx', "", "")).toBe(true);
  expect(holds(where, null, 'xa"bx', "")).toBe(true);
  expect(holds(where, null, null, 'a"b')).toBe(true);
  expect(holds(where, "ab", "ab", "ab")).toBe(false);
  expect(holds(whereOf(scope("q=race")), null, null, "")).toBe(true);
  expect(whereOf(scope("q=v.a&by=where"))).toBe("v.a");
});
