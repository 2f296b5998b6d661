import { expect, test } from "bun:test";
import { LineBlocks } from "./line-blocks.ts";

/** All lines of an input that comes in pieces of the given size. */
async function linesOf(input: Uint8Array, piece: number, blockBytes: number, lineBytesMax = 1e6) {
  let position = 0;
  const blocks = new LineBlocks(
    (into, at) => {
      const count = Math.min(piece, input.length - position, into.length - at);
      into.set(input.subarray(position, position + count), at);
      position += count;
      return Promise.resolve(count);
    },
    blockBytes,
    lineBytesMax,
  );
  const lines: string[] = [];
  for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
    let start = block.start;
    while (start < block.end) {
      let end = block.bytes.indexOf(10, start);
      if (end < 0 || end >= block.end) end = block.end;
      lines.push(block.bytes.toString("latin1", start, end));
      start = end + 1;
    }
  }
  return { lines, tooLong: blocks.tooLong };
}

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
