import { expect, test } from "bun:test";
import { EntryView, writeEntry } from "./entry-format.ts";
import { sortedEntries } from "./entry-sort.ts";

const COUNT = 3000;
const encoder = new TextEncoder();

/** Numbers in no order, the same each time. */
const scattered = (index: number) => Math.imul(index, 0x9e3779b1) >>> 0;

const KEYS: Readonly<Record<string, (index: number) => Uint8Array>> = {
  "of hexadecimal digits": (index) =>
    encoder.encode(scattered(index).toString(16).padStart(16, "0")),
  "of numbers of several lengths": (index) =>
    encoder.encode(`user-${scattered(index) % 10 ** (index % 9)}`),
  "of words": (index) => encoder.encode(scattered(index).toString(36).repeat(index % 4)),
  "of all bytes": (index) => new Uint8Array(Uint32Array.of(scattered(index), index).buffer),
  "of one byte, many times": (index) => new Uint8Array(index % 20).fill(7),
  "of nulls, which an end is not": (index) => new Uint8Array(scattered(index) % 23),
  "of two kinds of bytes": (index) => encoder.encode(scattered(index).toString(2)),
  "all the same": () => encoder.encode("k"),
};

test.each(Object.entries(KEYS))("keys %s come in the order of their bytes", (_, keyOf) => {
  const bytes = new Uint8Array(COUNT * 64);
  const starts = new Uint32Array(COUNT);
  const keys: Uint8Array[] = [];
  let end = 0;
  for (let index = 0; index < COUNT; index++) {
    starts[index] = end;
    keys.push(keyOf(index));
    end = writeEntry(bytes, end, keys[index]!, null);
  }
  const order = sortedEntries(bytes, starts, COUNT);
  expect(new Set(order)).toEqual(new Set(starts));
  const view = new EntryView();
  const found = [...order].map((start) => {
    view.read(bytes, start);
    return Buffer.from(bytes.subarray(view.keyStart, view.keyEnd)).toString("hex");
  });
  expect(found).toEqual(
    keys.toSorted(Buffer.compare).map((key) => Buffer.from(key).toString("hex")),
  );
});
