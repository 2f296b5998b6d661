import { expect, test } from "bun:test";
import type { HostPort } from "../../io.ts";
import { bunDatagrams } from "./datagrams.ts";

/** A socket, and the datagrams that have come to it. */
async function open(host: string, port = 0) {
  let arrived = Promise.withResolvers<{ bytes: Uint8Array; from: HostPort }>();
  const socket = await bunDatagrams.bind({ host, port }, (bytes, from) => {
    arrived.resolve({ bytes, from });
  });
  const next = async () => {
    const datagram = await arrived.promise;
    arrived = Promise.withResolvers();
    return datagram;
  };
  return { socket, next };
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`datagrams go both ways over ${host}`, async () => {
    const [one, two] = [await open(host), await open(host)];
    const bytes = new Uint8Array(1400).fill(7);
    expect(one.socket.send(two.socket.address, bytes)).toBe(true);
    const arrived = await two.next();
    expect(arrived).toEqual({ bytes, from: one.socket.address });
    expect(two.socket.send(arrived.from, new Uint8Array([1]))).toBe(true);
    expect((await one.next()).bytes).toEqual(new Uint8Array([1]));
    one.socket.close();
    two.socket.close();
  });
}

test("a socket for IPv6 and IPv4 names IPv4 addresses as such", async () => {
  const [any, four] = [await open("::"), await open("127.0.0.1")];
  four.socket.send({ host: "127.0.0.1", port: any.socket.address.port }, new Uint8Array(1));
  const { from } = await any.next();
  expect(from).toEqual(four.socket.address);
  expect(any.socket.send(from, new Uint8Array(2))).toBe(true);
  expect((await four.next()).bytes.length).toBe(2);
  any.socket.close();
  four.socket.close();
});

test("what cannot be sent is lost without a throw, and does not cost the next its way", async () => {
  const [one, two, gone] = [await open("127.0.0.1"), await open("127.0.0.1"), await open("::1")];
  const dead = { host: "127.0.0.1", port: gone.socket.address.port };
  gone.socket.close();
  gone.socket.close();
  expect(gone.socket.send(dead, new Uint8Array(1))).toBe(false);
  expect(one.socket.send({ host: "::1", port: 9 }, new Uint8Array(1))).toBe(false);
  expect(one.socket.send({ host: "localhost", port: 9 }, new Uint8Array(1))).toBe(false);
  expect(one.socket.send(two.socket.address, new Uint8Array(70_000))).toBe(false);
  for (let i = 0; i < 20; i++) {
    one.socket.send(dead, new Uint8Array(1));
    one.socket.send(two.socket.address, new Uint8Array(3));
    expect((await two.next()).bytes.length).toBe(3);
  }
  one.socket.close();
  two.socket.close();
});

test("a port that is taken is refused with the system's code", async () => {
  const { socket } = await open("127.0.0.1");
  await expect(open("127.0.0.1", socket.address.port)).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  socket.close();
});
