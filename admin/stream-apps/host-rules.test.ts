import { expect, test } from "bun:test";
import { allowedHost, parseEndpoint, parseHostRule } from "./host-rules.ts";

const rules = ["shop-1", "*.shop.internal:8090", "https://10.0.0.7", "[::1]"].map((text) =>
  parseHostRule(text)!
);
const origin = (endpoint: string, isFromHere = false) =>
  allowedHost(parseEndpoint(endpoint)!, rules, isFromHere)?.origin ?? null;

test("hosts are asked that an operator has named, with the scheme and port that go with them", () => {
  expect(origin("shop-1:1234")).toBe("http://shop-1:1234");
  expect(origin("SHOP-1:1234")).toBe("http://shop-1:1234");
  expect(origin("a.b.shop.internal:8090")).toBe("http://a.b.shop.internal:8090");
  expect(origin("10.0.0.7:9")).toBe("https://10.0.0.7:9");
  expect(origin("[::1]:9")).toBe("http://[::1]:9");
  for (
    const other of [
      ...["shop-2:1", "shop-1.evil.example:1", "a.shop.internal:80", "shop.internal:8090"],
      ...["evilshop.internal:8090", "10.0.0.8:9", "169.254.169.254:80", "127.0.0.1:2379"],
    ]
  ) {
    expect([other, origin(other)]).toEqual([other, null]);
  }
});

test("without a name only addresses of loopback are asked, of members that are here themselves", () => {
  expect(origin("127.0.0.1:8090", true)).toBe("http://127.0.0.1:8090");
  expect(origin("localhost:8090", true)).toBe("http://localhost:8090");
  expect(origin("127.0.0.1:8090", false)).toBeNull();
  for (const other of ["10.1.1.1:80", "0.0.0.0:80", "127.0.0.1.evil.example:80", "2130706433:80"]) {
    expect([other, origin(other, true)]).toEqual([other, null]);
  }
  expect(allowedHost({ host: "127.0.0.1", port: 1 }, rules, true)?.isNamed).toBe(false);
  expect(allowedHost({ host: "shop-1", port: 1 }, rules, false)?.isNamed).toBe(true);
});

test("of a thread the process is asked that it is in", () => {
  expect(parseEndpoint("shop-1:8090/threads/2")).toEqual({ host: "shop-1", port: 8090 });
  expect(parseEndpoint("[::1]:8090/threads/1")).toEqual({ host: "::1", port: 8090 });
});

test("what is no address is none", () => {
  for (
    const text of [
      ...[
        "shop-1",
        "shop-1:0",
        "shop-1:65536",
        "shop-1:80/x",
        "shop-1:80/threads/..",
        "a@shop-1:80",
        "http://shop-1:80",
      ],
      ...["*.shop:80", "shop-1:80?x", "", ":80", "shop-1:80#x", "[::1", "sh\nop:80", "shop-1:8:9"],
    ]
  ) {
    expect([text, parseEndpoint(text)]).toEqual([text, null]);
  }
  for (const text of ["ftp://a", "a/b", "a b", "http://", "a:0", "*", "*.*.a", "a@b"]) {
    expect([text, parseHostRule(text)]).toEqual([text, null]);
  }
});
