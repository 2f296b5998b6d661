import { expect, test } from "bun:test";
import { NO_CODECS } from "../../../core/compression/codec.ts";
import { BatchBuilder } from "../../../core/records/batch-builder.ts";
import { RecordCursor } from "../../../core/records/record-cursor.ts";
import type { RecordHeader } from "../../../core/records/record-cursor.ts";
import { Output } from "../../../core/text/output.ts";
import { parseFormat } from "./format.ts";
import { FormatSyntaxError } from "./printer.ts";
import type { Printer, RecordPlace } from "./printer.ts";
import { printValueLine } from "./record-format.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function print(
  printer: Printer,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: RecordHeader[] = [],
  place: Partial<RecordPlace> = {},
): Promise<string> {
  const builder = new BatchBuilder({ baseOffset: 41 });
  builder.append(1700000000000, null, null);
  builder.append(1700000000001, key, value, headers);
  const cursor = new RecordCursor(builder.build(), 0, NO_CODECS);
  cursor.next();
  cursor.next();
  let printed = "";
  const output = new Output((bytes) => {
    printed += Buffer.from(bytes).toString("latin1");
    return Promise.resolve(true);
  });
  printer(output, cursor, { topic: "orders", partition: 3, ...place });
  await output.flush();
  return printed;
}

const CASES: readonly [string, string][] = [
  ["%t/%p/%o %k=%v\\n", "orders/3/42 key=value\n"],
  ["%T %d %S %V %K %H", "1700000000001 1700000000001 5 5 3 2"],
  ["%h|%%|\\x41\\t", "a=1,b|%|A\t"],
  ["%v{hex} %k{base64} %T{iso}", "76616c7565 a2V5 2023-11-14T22:13:20.001Z"],
  ["%R%s", "\0\0\0\x05value"],
  ["100%% {x}", "100% {x}"],
  ["%{%}%i", "{}1"],
  ["%o{big16}|%o{little32}|%o{hex16}|%o{byte}|%o{bool}", "\0*|*\0\0\0|002a|*|true"],
  ["%K{big32}%k", "\0\0\0\x03key"],
  ["%d{strftime[%F %T.%L]} %d{strftime### [%a %j] ###}", "2023-11-14 22:13:20.001  [Tue 318] "],
  ["%d{go[2006-01-02T15:04:05.000Z07:00]}", "2023-11-14T22:13:20.001Z"],
  ["%d{go[Mon Jan _2 03:04PM]}", "Tue Nov 14 10:13PM"],
  ["%v{unpack[bBc]} %v{unpack[>Hs]} %v{unpack[<hq]}", "11897l 30305lue 24950(too short)"],
  ["%k{base64raw} %t{hex}", "a2V5 6f7264657273"],
  ["%h{<%k=%v{hex} %V>}", "<a=31 1><b= -1>"],
  ["%e %x %[ %a{compression;big8}", "-1 -1 -1 \xff"],
];

test("each letter prints its part", async () => {
  for (const [format, text] of CASES) {
    const headers: RecordHeader[] = [["a", encode("1")], ["b", null]];
    const printed = await print(parseFormat(format), encode("key"), encode("value"), headers);
    expect(printed).toBe(text);
  }
});

test("null prints nothing and has length -1, empty has length 0", async () => {
  expect(await print(parseFormat("[%k|%s|%K|%S]"), null, encode(""))).toBe("[||-1|0]");
  expect(await print(parseFormat("%R"), null, null)).toBe("\xff\xff\xff\xff");
});

test("the default prints the bytes as they are", async () => {
  expect(await print(printValueLine, null, new Uint8Array([0xff, 0, 10]))).toBe("\xff\0\n\n");
});

test("an output larger than the buffer keeps every byte", async () => {
  const value = new Uint8Array(700_000).fill(65);
  expect((await print(printValueLine, null, value)).length).toBe(700_001);
});

test("formats that mean nothing are refused", () => {
  for (
    const format of [
      "%",
      "%q",
      "%v{octal}",
      "%T{hex}",
      "%o{hex}",
      "a%",
      "%v{hex",
      "%a",
      "%a{x}",
      "%h{%q}",
    ]
      .concat(["%v{unpack[z]}", "%d{strftime[%Q]}", "%d{go[3:04]}", "%d{strftime}", "%o{iso}"])
  ) {
    expect(() => parseFormat(format)).toThrow(FormatSyntaxError);
  }
});

test("what only the batch and its fetch know", async () => {
  const builder = new BatchBuilder({ baseOffset: 41, producerId: 7, producerEpoch: 2 });
  builder.append(1, null, null);
  const place = { bytes: builder.build(), batchStart: 0, highWatermark: 99, logStartOffset: 5 };
  const format = "%x %y %[ %] %a{compression} %a{timestamp-type} %a{transactional-bit;bool}";
  expect(await print(parseFormat(format), null, null, [], place)).toBe("7 2 5 99 none 0 false");
});
