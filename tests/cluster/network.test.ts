/** The network of the cluster tests does to packets what it is told. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestNetwork } from "./network.ts";

let network: TestNetwork;
let server: Bun.Subprocess;
const PORT = 5432;
const ECHO = `Bun.listen({hostname:"0.0.0.0",port:${PORT},socket:{data(s,d){s.write(d)}}})`;

beforeAll(async () => {
  network = await TestNetwork.start(["a", "b"]);
  server = Bun.spawn(network.on("b", [process.execPath, "-e", ECHO]));
  while (await roundTripMs(2000) === null) await Bun.sleep(20);
});

afterAll(async () => {
  server.kill("SIGKILL");
  await server.exited;
  await network.close();
});

/** From the test to host b and back; null: not in time. */
async function roundTripMs(timeoutMs: number): Promise<number | null> {
  const begin = performance.now();
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const timer = setTimeout(() => resolve(null), timeoutMs);
  Bun.connect({
    hostname: network.addressOf("b"),
    port: PORT,
    socket: {
      open: (socket) => void socket.write("x"),
      data: (socket) => {
        socket.end();
        resolve(performance.now() - begin);
      },
    },
  }).catch(() => resolve(null));
  return await promise.finally(() => clearTimeout(timer));
}

test("packets arrive, late, or not at all, by direction", async () => {
  expect(await roundTripMs(2000)).toBeLessThan(100);
  await network.set("test", "b", { delayMs: 100 });
  // The handshake waits once, the byte a second time.
  expect(await roundTripMs(5000)).toBeGreaterThan(199);
  await network.set("b", "test", { isCut: true });
  expect(await roundTripMs(500)).toBeNull();
  await network.clear();
  expect(await roundTripMs(2000)).toBeLessThan(100);
});
