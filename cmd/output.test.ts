import { expect, test } from "bun:test";
import { formatBytes, formatFacts, formatTable } from "./output.ts";
import type { Column } from "./output.ts";

interface Row {
  readonly name: string | null;
  readonly size: number;
}

const columns: readonly Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "SIZE", cell: ({ size }) => size, right: true },
];

test("columns stand below one another, without blanks at the end of lines", () => {
  const rows = [{ name: "a", size: 5 }, { name: "longer", size: 1000 }, { name: null, size: 0 }];
  expect(formatTable(rows, columns, Infinity)).toBe(
    "NAME    SIZE\n" +
      "a          5\n" +
      "longer  1000\n" +
      "-          0\n",
  );
});

test("a table without rows is cut too", () => {
  expect(formatTable([], columns, 8)).toBe("NAME\n");
});

test("text that is of no use when it is cut is never cut", () => {
  const rows = [{ name: "orders-of-today", why: "is left over" }];
  const columns = [
    { title: "NAME", cell: (row: { name: string; why: string }) => row.name },
    { title: "WHY", cell: (row: { name: string; why: string }) => row.why, whole: true },
  ];
  expect(formatTable(rows, columns, 24)).toBe("NAME        WHY\norders-of…  is left over\n");
  expect(formatTable(rows, columns, 16)).toBe(
    "  NAME  orders-o\n        f-today\n  WHY   is left\n        over\n",
  );
});

test("on a narrow terminal text is cut, numbers never", () => {
  const rows = [{ name: "a-very-long-topic-name", size: 123456 }];
  const lines = formatTable(rows, columns, 20).split("\n");
  expect(lines).toEqual(["NAME            SIZE", "a-very-long…  123456", ""]);
});

test("columns stand below one another also where letters are wide", () => {
  const rows = [{ name: "注文", size: 5 }, { name: "orders", size: 10 }];
  expect(formatTable(rows, columns, Infinity)).toBe(
    "NAME    SIZE\n" +
      "注文       5\n" +
      "orders    10\n",
  );
  expect(formatTable([{ name: "注文注文注文注文", size: 123456 }], columns, 19)).toBe(
    "NAME           SIZE\n" +
      "注文注文注…  123456\n",
  );
});

test("a table that cannot fit becomes lines of a title and a whole text", () => {
  const rows = [{ name: "a-very-long-topic-name", size: 123456 }, { name: "  b", size: 1 }];
  expect(formatTable(rows, columns, 14)).toBe(
    "  NAME  a-very-l\n" +
      "        ong-topi\n" +
      "        c-name\n" +
      "  SIZE  123456\n" +
      "\n" +
      "  NAME  b\n" +
      "  SIZE  1\n",
  );
});

test("control characters from the network do not reach the terminal", () => {
  const rows = [{ name: "x\u001b[2J\n", size: 1 }];
  expect(formatTable(rows, columns, Infinity)).toContain("x?[2J?");
});

test("sizes have three digits and a unit", () => {
  expect([0, 999, 1000, 123_456, 1_250_000].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "123 kB",
    "1.3 MB",
  ]);
});

test("facts stay within the terminal, and lose nothing", () => {
  const facts = [
    ["id", "AAAAAAAAAAAAAAAAAAAAAA"],
    ["durability", "os: acknowledged when all have written it"],
    ["configs", `x=${"0123456789".repeat(6)}`],
  ] as const;
  expect(formatFacts(facts, 40)).toBe(
    "  id          AAAAAAAAAAAAAAAAAAAAAA\n" +
      "  durability  os: acknowledged when all\n" +
      "              have written it\n" +
      "  configs     x=012345678901234567890123\n" +
      "              45678901234567890123456789\n" +
      "              0123456789\n",
  );
  expect(formatFacts(facts, Infinity).split("\n").length).toBe(4);
});
