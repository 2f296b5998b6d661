import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileRegion, Socket, SocketHandlers } from "../../io.ts";
import { BunDisk } from "./disk.ts";
import { bunNetwork } from "./network.ts";

/** Handlers that gather what arrives and resolve when the connection is gone. */
function recorder() {
  const chunks: Uint8Array[] = [];
  const closed = Promise.withResolvers<Error | null>();
  let wanted = { bytes: Infinity, resolve: () => {} };
  const bytes = () => Buffer.concat(chunks);
  const handlers: SocketHandlers = {
    onData(chunk) {
      chunks.push(chunk);
      if (bytes().length >= wanted.bytes) wanted.resolve();
    },
    onDrain: () => {},
    onClose: (error) => closed.resolve(error),
  };
  const received = (count: number) =>
    new Promise<void>((resolve) => {
      wanted = { bytes: count, resolve };
      if (bytes().length >= count) resolve();
    });
  return { handlers, bytes, received, closed: closed.promise };
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };

test("many small and large writes arrive in order, whatever the system takes at once", async () => {
  const server = recorder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
    accepted.resolve(socket);
    return server.handlers;
  });
  const drained = Promise.withResolvers<void>();
  const client = await bunNetwork.connect(listener.address, {
    onData: () => {},
    onDrain: () => drained.resolve(),
    onClose: () => {},
  }, { timeoutMs: 5_000 });
  const peer = await accepted.promise;
  expect(client.local).toEqual(peer.remote);
  expect(client.remote).toEqual(peer.local);

  peer.pause();
  const sent: Uint8Array[] = [];
  for (let i = 0; i < 400; i++) {
    const length = i % 7 === 0 ? 100_000 + i : 1 + i * 13;
    const chunk = new Uint8Array(length).fill(i);
    sent.push(chunk);
    client.write(chunk);
  }
  const all = Buffer.concat(sent);
  expect(client.pendingBytes).toBe(all.length);
  peer.resume();
  await drained.promise;
  expect(client.pendingBytes).toBe(0);
  await server.received(all.length);
  expect(server.bytes().equals(all)).toBe(true);
  client.write(new Uint8Array([1, 2, 3]));
  client.end();
  expect(await server.closed).toBeNull();
  expect(server.bytes().length).toBe(all.length + 3);
  listener.close();
});

test("a paused socket receives nothing until it is resumed", async () => {
  const server = recorder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
    socket.pause();
    accepted.resolve(socket);
    return server.handlers;
  });
  const echo = recorder();
  const client = await bunNetwork.connect(listener.address, echo.handlers, { timeoutMs: 5_000 });
  client.write(new Uint8Array(10));
  const peer = await accepted.promise;
  peer.write(new Uint8Array(5));
  await echo.received(5); // A whole round trip later,
  expect(server.bytes().length).toBe(0);
  peer.resume();
  await server.received(10);
  client.destroy();
  await server.closed;
  listener.close();
});

test("a port that is taken, and one where nobody listens, are refused with the system's code", async () => {
  const listener = await bunNetwork.listen(LOOPBACK, () => recorder().handlers);
  await expect(bunNetwork.listen(listener.address, () => recorder().handlers))
    .rejects.toMatchObject({ code: "EADDRINUSE" });
  listener.close();
  await expect(bunNetwork.connect(listener.address, recorder().handlers, { timeoutMs: 5_000 }))
    .rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("connecting ends when the signal is aborted", async () => {
  const abort = new AbortController();
  // TEST-NET-1 leads nowhere.
  const connecting = bunNetwork.connect({ host: "192.0.2.1", port: 9 }, recorder().handlers, {
    timeoutMs: 60_000,
    signal: abort.signal,
  });
  abort.abort(new Error("enough"));
  await expect(connecting).rejects.toThrow("enough");
});

for (const how of ["end", "destroy"] as const) {
  test(`a connection can be refused in accept by ${how}`, async () => {
    const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
      socket[how]();
      return recorder().handlers;
    });
    const client = recorder();
    await bunNetwork.connect(listener.address, client.handlers, { timeoutMs: 5_000 });
    await client.closed;
    listener.close();
  });
}

test("regions of files go out whole between bytes, also to a slow reader", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kstream-region-"));
  const content = new Uint8Array(8_000_000);
  for (let i = 0; i < content.length; i++) content[i] = i * 31 >> 3;
  await Bun.write(join(dir, "data"), content);
  const disk = new BunDisk();
  let open = 0;
  const region = (position: number, length: number): FileRegion => ({
    position,
    length,
    open: () => {
      const file = disk.open(join(dir, "data"), "read");
      open++;
      return {
        file,
        release: () => {
          open--;
          file.close();
        },
      };
    },
  });
  const server = recorder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await bunNetwork.listen(LOOPBACK, (socket) => {
    accepted.resolve(socket);
    return server.handlers;
  });
  const client = await bunNetwork.connect(listener.address, recorder().handlers, {
    timeoutMs: 5_000,
  });
  const peer = await accepted.promise;
  peer.pause();
  const head = new Uint8Array([1, 2, 3]);
  client.write(head);
  client.write(region(100, 7_000_000));
  client.write(head);
  client.write(region(5, 10));
  client.write(region(7_999_000, 1000));
  const wanted = Buffer.concat([
    head,
    content.subarray(100, 7_000_100),
    head,
    content.subarray(5, 15),
    content.subarray(7_999_000),
  ]);
  expect(client.pendingBytes).toBe(wanted.length);
  peer.resume();
  await server.received(wanted.length);
  expect(server.bytes().equals(wanted)).toBe(true);
  expect(open).toBe(0);

  // A region that reaches beyond the file can never be sent: the connection ends, the file is let go.
  client.write(region(7_999_999, 100_000));
  await server.closed;
  expect(open).toBe(0);
  listener.close();
  rmSync(dir, { recursive: true });
});
