import { expect, test } from "bun:test";
import {
  advertisedAddress,
  formatAddress,
  isLoopback,
  type ListenerInfo,
  listenerSpecs,
  parseNamedAddress,
} from "./listeners.ts";

test("addresses are read in every form that people write", () => {
  const cases: [string, string, string, number][] = [
    ["127.0.0.1:9092", "PLAINTEXT", "127.0.0.1", 9092],
    ["localhost", "PLAINTEXT", "localhost", 9092],
    [":9093", "PLAINTEXT", "0.0.0.0", 9093],
    ["0", "PLAINTEXT", "0.0.0.0", 0],
    ["[::1]:9", "PLAINTEXT", "::1", 9],
    ["[::1]", "PLAINTEXT", "::1", 9092],
    ["outside=broker.example.org:9093", "OUTSIDE", "broker.example.org", 9093],
    ["PLAINTEXT://10.0.0.1:9092", "PLAINTEXT", "10.0.0.1", 9092],
    ["PLAINTEXT://:9092", "PLAINTEXT", "0.0.0.0", 9092],
  ];
  for (const [text, name, host, port] of cases) {
    expect([text, parseNamedAddress(text, "--listen")])
      .toEqual([text, { name, address: { host, port } }]);
  }
  for (const text of ["", "a:b", "1.2.3.4:70000", "::1:9092", "[::1", "a b:1", "A="]) {
    expect(() => parseNamedAddress(text, "--listen")).toThrow("--listen cannot be read");
  }
});

test("listeners have names, and what is advertised belongs to one of them", () => {
  expect(listenerSpecs([], [])).toEqual([
    { name: "PLAINTEXT", bind: { host: "127.0.0.1", port: 9092 }, advertised: null },
  ]);
  expect(listenerSpecs(["IN=:1", "OUT=:2"], ["OUT=x:3"])).toEqual([
    { name: "IN", bind: { host: "0.0.0.0", port: 1 }, advertised: null },
    { name: "OUT", bind: { host: "0.0.0.0", port: 2 }, advertised: { host: "x", port: 3 } },
  ]);
  expect(() => listenerSpecs([":1", ":2"], [])).toThrow("two listeners are named PLAINTEXT");
  expect(() => listenerSpecs([":1"], ["OUT=x:3"])).toThrow("nothing listens as OUT");
  expect(() => listenerSpecs([":1"], ["0.0.0.0:1"])).toThrow("no client can connect to");
});

test("a client is told what is advertised, else where it came in", () => {
  const localAddress = { host: "192.168.1.5", port: 9092 };
  const listener = (advertised: ListenerInfo["advertised"]): ListenerInfo => ({
    name: "PLAINTEXT",
    bound: { host: "0.0.0.0", port: 9092 },
    advertised,
  });
  expect(advertisedAddress({ listener: listener(null), localAddress })).toEqual(localAddress);
  const named = { host: "broker", port: 19092 };
  expect(advertisedAddress({ listener: listener(named), localAddress })).toEqual(named);
  expect(advertisedAddress({ listener: listener({ host: "broker", port: 0 }), localAddress }))
    .toEqual({ host: "broker", port: 9092 });
});

test("loopback is what only this host reaches", () => {
  for (const host of ["127.0.0.1", "127.8.9.1", "::1", "localhost"]) {
    expect([host, isLoopback(host)]).toEqual([host, true]);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.example.org", "example.org"]) {
    expect([host, isLoopback(host)]).toEqual([host, false]);
  }
  expect(formatAddress({ host: "::1", port: 1 })).toBe("[::1]:1");
});
