import { expect, test } from "bun:test";
import { describeBadStream } from "./bad-stream.ts";

test("what is not Kafka's protocol is named", () => {
  const cases: [number[] | string, RegExp][] = [
    [[0x16, 0x03, 0x01, 0x02, 0x00], /TLS/],
    ["GET / HTTP/1.1\r\n", /HTTP/],
    ["OPTIONS * HTTP/1.1\r\n", /HTTP/],
    ["PRI * HTTP/2.0\r\n", /HTTP/],
    [[0xff, 0xff, 0xff, 0xff], /negative length \(-1\)/],
    [[0x7f, 0xff, 0xff, 0xff], /2147483647 bytes.*socket\.request\.max\.bytes=104857600/],
  ];
  for (const [input, what] of cases) {
    const length = Buffer.from(input).readInt32BE(0);
    expect(describeBadStream(length, 104_857_600).what).toMatch(what);
  }
});
