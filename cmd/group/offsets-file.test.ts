import { expect, test } from "bun:test";
import { OffsetsFileError, parseOffsetsFile } from "./offsets-file.ts";

const at = (topic: string, partition: number, offset: number) => ({ topic, partition, offset });

test("CSV has three fields a line; titles, comments and empty lines are skipped", () => {
  const text = "topic,partition,offset\r\n# of yesterday\n\norders,0,42\n orders , 1 , 7 \n";
  expect(parseOffsetsFile(text, "g")).toEqual([at("orders", 0, 42), at("orders", 1, 7)]);
  expect(parseOffsetsFile('"orders","2","9"', "g")).toEqual([at("orders", 2, 9)]);
});

test("of CSV about several groups only the own lines count", () => {
  const text = "billing,orders,0,42\naudit,orders,0,1\n";
  expect(parseOffsetsFile(text, "audit")).toEqual([at("orders", 0, 1)]);
});

test("JSON is what describe and seek print, or a plain list", () => {
  const described = [{
    group: "g",
    partitions: [
      { topic: "a", partition: 0, committedOffset: 3 },
      { topic: "a", partition: 1, committedOffset: null },
    ],
  }, { group: "other", partitions: [{ topic: "a", partition: 0, committedOffset: 9 }] }];
  expect(parseOffsetsFile(JSON.stringify(described), "g")).toEqual([at("a", 0, 3)]);
  const sought = {
    group: "g",
    partitions: [{ topic: "a", partition: 0, currentOffset: 3, newOffset: 5 }],
  };
  // One group's file may be meant for another group.
  expect(parseOffsetsFile(JSON.stringify(sought), "copy")).toEqual([at("a", 0, 5)]);
  expect(parseOffsetsFile('[{"topic":"a","partition":0,"offset":8}]', "g")).toEqual([
    at("a", 0, 8),
  ]);
});

test("anything else is refused with its place", () => {
  const cases: [text: string, words: string][] = [
    ["orders,0", "line 1 is not"],
    ["orders,0,1\norders,x,1", "line 2 is not"],
    ["orders,0,-1", "line 1 is not"],
    ["orders,0,9007199254740993", "line 1 is not"],
    [",0,1", "line 1 is not"],
    ["orders,0,1\norders,0,2", "orders:0 twice"],
    ["", "no offsets"],
    ["billing,orders,0,1", "no offsets"],
    ["[", "JSON"],
    ['[{"topic":"a","partition":0}]', "names no topic, partition and offset"],
    ['[{"topic":"a","partition":0.5,"offset":1}]', "names no topic, partition and offset"],
    ['{"group":"g"}', "no offsets"],
    ["[null]", "names no topic, partition and offset"],
  ];
  for (const [text, words] of cases) {
    expect(() => parseOffsetsFile(text, "g")).toThrow(OffsetsFileError);
    expect(() => parseOffsetsFile(text, "g")).toThrow(words);
  }
});
