import { describe, expect, test } from "bun:test";
import { NO_CODECS } from "../../../core/compression/codec.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { BatchBuilder } from "../../../core/records/batch-builder.ts";
import { RecordCursor } from "../../../core/records/record-cursor.ts";
import { splitColumns } from "../flags.ts";
import { LatestByKey } from "../latest-by-key.ts";
import { Output } from "../../../core/text/output.ts";
import { FormatSyntaxError } from "./printer.ts";
import { recordFormat, withHeader } from "./record-format.ts";
import type { FormatFlags } from "./record-format.ts";

const PLAIN: FormatFlags = {
  ...{ format: "value", key: "string", value: "string", nullMarker: null, delimiter: null },
  ...{ frame: null, columns: null, widthMax: Infinity, severalTopics: false },
};
type Bytes = string | number[] | null;
const bytes = (from: Bytes) =>
  from === null
    ? null
    : typeof from === "string"
    ? new TextEncoder().encode(from)
    : Buffer.from(from);

function* records(pairs: readonly (readonly [key: Bytes, value: Bytes])[]) {
  const builder = new BatchBuilder({ baseOffset: 41 });
  for (const [key, value] of pairs) {
    builder.append(1700000000001, bytes(key), bytes(value), [["h", bytes("1")]]);
  }
  const cursor = new RecordCursor(builder.build(), 0, NO_CODECS);
  while (cursor.next()) yield cursor;
}

async function print(
  flags: Partial<FormatFlags>,
  ...pairs: (readonly [key: Bytes, value: Bytes])[]
): Promise<string> {
  const printer = withHeader(await recordFormat({ ...PLAIN, ...flags }));
  const output = new Output(() => Promise.resolve(true));
  for (const record of records(pairs)) printer(output, record, { topic: "orders", partition: 3 });
  return Buffer.from(output.take()).toString("latin1");
}

const A = ["k", "v1"] as const;
const NULLS = [null, null] as const;
const EMPTY = ["", ""] as const;

test("value, raw and their ends", async () => {
  expect(await print({}, A, NULLS, EMPTY)).toBe("v1\n\n\n");
  expect(await print({ format: "raw" }, A, A)).toBe("v1v1");
  expect(await print({ nullMarker: "NULL" }, A, NULLS, EMPTY)).toBe("v1\nNULL\n\n");
  expect(await print({ delimiter: new Uint8Array(1) }, A, A)).toBe("v1\0v1\0");
  expect(await print({ format: "%k=%v", delimiter: Buffer.from("--") }, A, A)).toBe("k=v1--k=v1--");
  expect(await print({ format: "%k=%v\\n", nullMarker: "~" }, NULLS)).toBe("~=~\n");
});

test("frames", async () => {
  expect(await print({ frame: "u32" }, A, EMPTY)).toBe("\0\0\0\x02v1\0\0\0\0");
  expect(await print({ frame: "netstring", format: "%k:%v" }, A)).toBe("4:k:v1,");
  expect(await print({ frame: "varint" }, ["k", "x".repeat(300)])).toBe(
    "\xac\x02" + "x".repeat(300),
  );
});

test("kinds of keys and values", async () => {
  const long = [0, 0, 0, 0, 0, 0, 1, 0];
  expect(await print({ key: "int", value: "long", format: "%k %v;" }, [[255, 255, 255, 255], long]))
    .toBe("-1 256;");
  expect(await print({ value: "hex" }, ["k", [0, 255]])).toBe("00ff\n");
  expect(await print({ value: "json" }, ["k", '{"a":\n 12345678901234567890}\n']))
    .toBe('{"a":  12345678901234567890}\n');
  const json = JSON.parse(
    await print({ format: "json", key: "long", value: "json" }, [long, "[1]"]),
  );
  expect(json).toMatchObject({ key: 256, value: [1], headers: [["h", "1"]] });
  expect(print({ value: "int" }, ["k", "abc"])).rejects.toThrow(OperatorError);
  expect(print({ value: "json" }, ["k", "{"])).rejects.toThrow(
    "the value of orders-3@41 is no json",
  );
});

describe("csv", () => {
  test("quotes, and tells null from empty", async () => {
    expect(await print({ format: "csv" }, A, ['a,"b"', "x\ny"], NULLS, EMPTY)).toBe(
      "topic,partition,offset,timestamp,key,value,headers\n" +
        'orders,3,41,1700000000001,k,v1,"[[""h"",""1""]]"\n' +
        'orders,3,42,1700000000001,"a,""b""","x\ny","[[""h"",""1""]]"\n' +
        'orders,3,43,1700000000001,,,"[[""h"",""1""]]"\n' +
        'orders,3,44,1700000000001,"","","[[""h"",""1""]]"\n',
    );
  });

  test("columns and expressions; bytes that are no text", async () => {
    const columns = ["time", "key", "value", "v.n", "v.none"];
    expect(
      await print({ format: "csv", columns, nullMarker: "-" }, ["-", '{"n":4}'], [null, [255]]),
    )
      .toBe(
        "time,key,value,v.n,v.none\n" +
          '2023-11-14T22:13:20.001Z,"-","{""n"":4}",4,-\n' +
          "2023-11-14T22:13:20.001Z,-,0xff,-,-\n",
      );
    expect(splitColumns("key, v.items[0, 1],f(a,b), 'x,y'")).toEqual(
      ["key", "v.items[0, 1]", "f(a,b)", "'x,y'"],
    );
  });
});

test("a table fits the terminal, whatever the records hold", async () => {
  const wide = await print({ format: "table", widthMax: 100 }, A, NULLS, ["k\n", "x".repeat(200)]);
  expect(wide.split("\n")[1]).toBe(
    "        3         41  2023-11-14T22:13:20.001Z  k                 v1",
  );
  expect(wide).toContain("NULL              NULL\n");
  for (const widthMax of [30, 50, 80, 120]) {
    const severalTopics = widthMax > 40;
    const table = await print({ format: "table", widthMax, severalTopics }, A, [
      "長い鍵".repeat(9),
      "値".repeat(99),
    ]);
    const lines = Buffer.from(table, "latin1").toString().trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(widthMax);
  }
  expect(await print({ format: "table", widthMax: 80, severalTopics: true }, A)).toBe(
    "TOPIC             PARTITION     OFFSET  KEY               VALUE\n" +
      "orders                    3         41  k                 v1\n",
  );
  expect(await print({ format: "table" }, ["k", "y".repeat(500)])).toContain("y".repeat(500));
});

test("a dump shows every byte", async () => {
  const dump = await print({ format: "hex" }, ["k", [...Buffer.from("0123456789abcdef"), 0, 255]]);
  expect(dump).toBe(
    "orders-3@41  2023-11-14T22:13:20.001Z\n" +
      "  key: 1 byte\n" +
      "    00000000  6b                                                |k|\n" +
      '  header "h": 1 byte\n' +
      "    00000000  31                                                |1|\n" +
      "  value: 18 bytes\n" +
      "    00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n" +
      "    00000010  00 ff                                             |..|\n\n",
  );
});

test("what does not go together is refused", async () => {
  const bad: Partial<FormatFlags>[] = [
    { format: "jsno" },
    { columns: ["key"] },
    { format: "csv", frame: "u32" },
    { format: "table", delimiter: new Uint8Array(1) },
    { format: "csv", columns: [] },
  ];
  for (const flags of bad) await expect(print(flags)).rejects.toThrow(FormatSyntaxError);
});

test("of each key the latest, without those whose value is null, within a bound", async () => {
  const format = await recordFormat({ ...PLAIN, format: "csv", columns: ["key", "value"] });
  const latest = new LatestByKey(format, 1000);
  const output = new Output(() => Promise.resolve(true));
  const keep = (...pairs: (readonly [Bytes, Bytes])[]) => {
    for (const record of records(pairs)) {
      latest.keep(output, record, { topic: "orders", partition: 0 });
    }
  };
  keep(["a", "1"], ["b", "2"], ["c", "3"], [null, "x"], ["a", "4"], ["b", null]);
  const shown = Buffer.concat([...latest.records()]).toString();
  expect([shown, output.size]).toEqual(["key,value\nc,3\na,4\n", 0]);
  expect(() => keep(["d", "y".repeat(700)])).toThrow("too many keys");
});
