/** Records by HTTP with the built binary: long bodies, senders and readers that go or stand still. */
import { expect, test } from "bun:test";
import { withBroker } from "../harness/broker-process.ts";
import { ok } from "./cli.ts";

const BLOCK = Buffer.from(`${"x".repeat(99)}\n`.repeat(1000));

/** Opens a connection that sends `head`; what comes is counted until it is paused. */
async function connect(admin: string, head: string, bytesMax = Infinity) {
  const { hostname, port } = new URL(admin);
  let received = 0;
  let tell = () => {};
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (open) => void open.write(head.replace("HOST", `${hostname}:${port}`)),
      data: (open, bytes) => {
        received += bytes.length;
        if (received >= bytesMax) open.pause();
        tell();
      },
    },
  });
  const until = async (bytes: number) => {
    while (received < bytes) await new Promise<void>((resolve) => tell = resolve);
  };
  return { socket, until };
}

test(
  "a long body is written whole, and read again; the broker stays as it was",
  () =>
    withBroker(async ({ bootstrap, admin }) => {
      await ok(["topic", "create", "logs", "--partitions", "3"], { brokers: bootstrap });
      let blocks = 200;
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => blocks-- > 0 ? controller.enqueue(BLOCK) : controller.close(),
      });
      const path = `${admin}/v1/topics/logs/records`;
      const written = await fetch(`${path}?format=lines`, { method: "PUT", body });
      expect(written.status).toBe(200);
      expect(await written.json()).toMatchObject({ records: 200_000 });
      const read = await fetch(path);
      expect((await read.text()).split("\n").length).toBe(200_001);
      const large = await fetch(`${admin}/v1/topics/logs/search`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: "x".repeat(2 << 20) }),
      });
      expect(large.status).toBe(413);
    }),
  60_000,
);

test(
  "a sender that is cut leaves what came before; readers that go or stand leave their places",
  () =>
    withBroker(async ({ bootstrap, admin }) => {
      if (admin === null) throw new Error("the broker has no admin API");
      await ok(["topic", "create", "logs"], { brokers: bootstrap });
      const head = "PUT /v1/topics/logs/records?format=lines HTTP/1.1\r\nHost: HOST\r\n" +
        "Content-Length: 1000000000\r\n\r\n";
      const sender = await connect(admin, head + "a\nb\nhalf of a line");
      // It is there, though the body goes on: nothing waits for its end.
      const tail = await ok(["consume", "logs", "-n", "2"], { brokers: bootstrap });
      expect(tail).toBe("a\nb\n");
      sender.socket.terminate();
      let blocks = 100;
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => blocks-- > 0 ? controller.enqueue(BLOCK) : controller.close(),
      });
      await fetch(`${admin}/v1/topics/logs/records?format=lines`, { method: "PUT", body });
      const get = "GET /v1/topics/logs/records?follow=true HTTP/1.1\r\nHost: HOST\r\n\r\n";
      for (let round = 0; round < 40; round++) {
        const reader = await connect(admin, get, 1);
        await reader.until(1);
        reader.socket.terminate();
      }
      // More readers than there are places have come and gone.
      let left;
      do left = await fetch(`${admin}/v1/topics/logs/records?limit=1`); while (left.status === 429);
      expect(left.status).toBe(200);
      expect(await left.text()).toContain('"value":"a"');
    }),
  60_000,
);
