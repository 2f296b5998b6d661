import { expect, test } from "bun:test";
import { ipFromBytes, ipToBytes, isIpAddress, javaHost } from "./ip-address.ts";

test("addresses are told from other names", () => {
  const addresses = ["127.0.0.1", "::", "::1", "fe80::a", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1"];
  const others = [
    "",
    "localhost",
    "1.2.3",
    "1.2.3.256",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "12345::",
    "::g",
  ];
  expect(addresses.filter((text) => !isIpAddress(text))).toEqual([]);
  expect(others.filter(isIpAddress)).toEqual([]);
});

test("hosts are written as Java writes them", () => {
  expect(["10.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::00AB%eth0", "*"].map(javaHost)).toEqual([
    "10.0.0.1",
    "0:0:0:0:0:0:0:1",
    "10.0.0.1",
    "fe80:0:0:0:0:0:0:ab",
    "*",
  ]);
});

test("addresses become bytes, and bytes the one text that an address has", () => {
  const texts = [
    "10.0.0.255",
    "::",
    "::1",
    "1::",
    "1:0:0:2::3",
    "2001:db8::1:0:0:1",
    "1:2:3:4:5:6:7:8",
  ];
  for (const text of texts) expect(ipFromBytes(ipToBytes(text)!)).toBe(text);
  expect(ipFromBytes(ipToBytes("::ffff:10.0.0.1")!)).toBe("10.0.0.1");
  expect(ipFromBytes(ipToBytes("2001:0DB8:0:1:0:1:0:1")!)).toBe("2001:db8:0:1:0:1:0:1");
  expect(["localhost", "1.2.3", "::g", ""].map(ipToBytes)).toEqual([null, null, null, null]);
});
