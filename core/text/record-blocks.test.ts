import { expect, test } from "bun:test";
import { CsvFraming, splitCsv } from "./csv.ts";
import { delimited, lengthPrefixed } from "./framing.ts";
import type { Framing } from "./framing.ts";
import { RecordBlocks } from "./record-blocks.ts";

/** All records of an input that comes in pieces of the given size. */
async function recordsOf(
  input: Uint8Array,
  framing: Framing,
  piece: number,
  blockBytes: number,
  recordBytesMax = 1e6,
) {
  let position = 0;
  const blocks = new RecordBlocks(
    (into, at) => {
      const count = Math.min(piece, input.length - position, into.length - at);
      into.set(input.subarray(position, position + count), at);
      position += count;
      return Promise.resolve(count);
    },
    framing,
    0,
    blockBytes,
    recordBytesMax,
  );
  const records: string[] = [];
  let tooLong = 0;
  for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
    tooLong += block.tooLong;
    expect(block.bytes.subarray(block.start, block.end))
      .toEqual(Buffer.from(input.subarray(block.inputOffset).subarray(0, block.end - block.start)));
    for (let at = block.start; at < block.end;) {
      at = framing.next(block.bytes, at, block.end);
      records.push(block.bytes.toString("latin1", framing.start, framing.end));
    }
  }
  return { records, tooLong };
}

const lines = delimited(Buffer.from("\n"));
const linesOf = async (input: Uint8Array, piece: number, blockBytes: number, max = 1e6) => {
  const { records, tooLong } = await recordsOf(input, lines, piece, blockBytes, max);
  return { lines: records, tooLong };
};

test("lines come out whole, however the input is cut", async () => {
  const input = Buffer.from("first\r\n\n\xff\x00binary\n" + "x".repeat(50) + "\nlast", "latin1");
  const lines = ["first\r", "", "\xff\x00binary", "x".repeat(50), "last"];
  for (let piece = 1; piece < input.length + 2; piece++) {
    for (const blockBytes of [1, 2, 7, 64, 1000]) {
      expect((await linesOf(input, piece, blockBytes)).lines).toEqual(lines);
    }
  }
});

test("a last newline begins no further line, and no input has none", async () => {
  expect((await linesOf(Buffer.from("a\n"), 10, 10)).lines).toEqual(["a"]);
  expect((await linesOf(Buffer.from("\n\n"), 10, 10)).lines).toEqual(["", ""]);
  expect((await linesOf(Buffer.from(""), 10, 10)).lines).toEqual([]);
});

test("a line beyond the limit is left out and counted, at constant memory", async () => {
  const input = Buffer.from("a\n" + "y".repeat(1000) + "\nb\n" + "z".repeat(1000));
  for (const piece of [1, 3, 16, 5000]) {
    const { lines, tooLong } = await linesOf(input, piece, 16, 100);
    expect(lines).toEqual(["a", "b"]);
    expect(tooLong).toBe(2);
  }
});

test("records end at a delimiter of several bytes, also one that overlaps itself", async () => {
  const cases: [string, string, string[]][] = [
    ["aXYbXYc", "XY", ["a", "b", "c"]],
    ["aXYXYXbXY", "XY", ["a", "", "Xb"]],
    ["1aaa2aaaa", "aa", ["1", "a2", "", ""].slice(0, 3)],
    ["\n--\nfirst\nlines\n--\nsecond", "\n--\n", ["", "first\nlines", "second"]],
  ];
  for (const [text, delimiter, records] of cases) {
    for (const piece of [1, 2, 3, 100]) {
      for (const blockBytes of [1, 4, 100]) {
        const framing = delimited(Buffer.from(delimiter));
        expect([text, (await recordsOf(Buffer.from(text), framing, piece, blockBytes)).records])
          .toEqual([text, records]);
      }
    }
  }
});

test("a record that is too long ends at its delimiter, wherever that is cut", async () => {
  const input = Buffer.from("a--" + "y".repeat(500) + "--b--" + "z".repeat(999));
  for (const piece of [1, 7, 64]) {
    const framing = delimited(Buffer.from("--"));
    expect(await recordsOf(input, framing, piece, 16, 100))
      .toEqual({ records: ["a", "b"], tooLong: 2 });
  }
});

test("records come behind their lengths", async () => {
  const records = ["one", "", "x".repeat(300), "last\n"];
  const u32 = records.map((text) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return length.toString("latin1") + text;
  });
  const varint = records.map((text) => {
    const { length } = text;
    const bytes = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
    return String.fromCharCode(...bytes) + text;
  });
  const netstring = records.map((text) => `${text.length}:${text},`);
  for (
    const [frame, parts] of [["u32", u32], ["varint", varint], ["netstring", netstring]] as const
  ) {
    const input = Buffer.from(parts.join(""), "latin1");
    for (const piece of [1, 5, 1000]) {
      for (const blockBytes of [1, 64, 4096]) {
        const framing = lengthPrefixed(frame, 1000);
        expect((await recordsOf(input, framing, piece, blockBytes)).records).toEqual(records);
      }
    }
    const cut = recordsOf(input.subarray(0, -1), lengthPrefixed(frame, 1000), 100, 64);
    expect(cut).rejects.toThrow("the input ends");
    const refused = recordsOf(Buffer.from("99999999999999"), lengthPrefixed(frame, 10), 100, 64);
    expect(refused).rejects.toThrow("framed like this?");
  }
});

test("rows of CSV end outside quotes, and split into fields", async () => {
  const rows = ['id,"na\nme"', '1,"a ""b"", c"', '2,5" pipe', "", '3,"x\r\ny"\r', "4,"];
  const input = Buffer.from(rows.join("\n"));
  for (const piece of [1, 2, 3, 7, 100]) {
    for (const blockBytes of [1, 10, 1000]) {
      const { records } = await recordsOf(input, new CsvFraming(44), piece, blockBytes);
      expect(records).toEqual(rows);
    }
  }
  const fields = rows.map((row) => splitCsv(row, ","));
  expect(fields).toEqual([
    ["id", "na\nme"],
    ["1", 'a "b", c'],
    ["2", '5" pipe'],
    [""],
    ["3", "x\r\ny"],
    ["4", ""],
  ]);
  expect(() => splitCsv('a,"b"c', ",")).toThrow("behind a closing quote");
  expect(recordsOf(Buffer.from('a,"b\nc'), new CsvFraming(44), 2, 10)).rejects
    .toThrow("the input ends within quotes");
});
