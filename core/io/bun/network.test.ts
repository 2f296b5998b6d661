import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileRegion, Socket } from "../../io.ts";
import { LOOPBACK, networkSuite, recorder } from "../network-conformance.test-helper.ts";
import { BunDisk } from "./disk.ts";
import { bunNetwork } from "./network.ts";

networkSuite(bunNetwork);

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
