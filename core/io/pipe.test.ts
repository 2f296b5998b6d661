/** The connection within a process, seen from both its ends. */
import { expect, test } from "bun:test";
import type { FileRegion } from "../io.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { pipe, type PipeEnd } from "./pipe.ts";

const A = { host: "127.0.0.1", port: 1 };
const B = { host: "127.0.0.1", port: 2 };

/** Notes what an end hears. */
function listen(end: PipeEnd) {
  const heard = { bytes: [] as number[], drains: 0, closed: 0, error: null as Error | null };
  end.handlers = {
    onData: (bytes) => {
      for (const byte of bytes) heard.bytes.push(byte);
    },
    onDrain: () => heard.drains++,
    onClose: (error) => {
      heard.closed++;
      heard.error = error;
    },
  };
  return heard;
}

/** Lets everything happen that is due. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("what goes in at one end comes out at the other, in order and later", async () => {
  const [a, b] = pipe(A, B);
  const [atA, atB] = [listen(a), listen(b)];
  expect(a.remote).toEqual(B);
  const sent = Uint8Array.of(1, 2);
  a.write(sent);
  a.write(Uint8Array.of(3));
  b.write(Uint8Array.of(9));
  expect([a.pendingBytes, atB.bytes]).toEqual([3, []]);
  await turns();
  expect([atB.bytes, atA.bytes]).toEqual([[1, 2, 3], [9]]);
  expect([a.pendingBytes, atA.drains, atB.drains]).toEqual([0, 1, 1]);
});

test("who pauses gets nothing, and its peer has it pending", async () => {
  const [a, b] = pipe(A, B);
  const [atA, atB] = [listen(a), listen(b)];
  b.pause();
  a.write(Uint8Array.of(1));
  await turns();
  expect([atB.bytes, a.pendingBytes, atA.drains]).toEqual([[], 1, 0]);
  b.resume();
  await turns();
  expect([atB.bytes, a.pendingBytes, atA.drains]).toEqual([[1], 0, 1]);
});

test("an end sends what is queued before it closes; both hear of it once", async () => {
  const [a, b] = pipe(A, B);
  const [atA, atB] = [listen(a), listen(b)];
  a.write(new Uint8Array(3_000_000));
  a.end();
  a.write(Uint8Array.of(7));
  await turns();
  expect([atB.bytes.length, atA.closed, atB.closed]).toEqual([3_000_000, 1, 1]);
  b.destroy();
  await turns();
  expect([atA.closed, atB.closed]).toEqual([1, 1]);
});

test("a region of a file is read in its turn and let go", async () => {
  const disk = new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 20 });
  const file = disk.open("/f", "create");
  file.writeSync(Uint8Array.of(1, 2, 3, 4), 0);
  let released = 0;
  const region = (length: number): FileRegion => ({
    position: 1,
    length,
    open: () => ({ file, release: () => void released++ }),
  });
  const [a, b] = pipe(A, B);
  const [atA, atB] = [listen(a), listen(b)];
  a.write(Uint8Array.of(0));
  a.write(region(2));
  await turns();
  expect([atB.bytes, released]).toEqual([[0, 2, 3], 1]);
  a.write(region(10));
  await turns();
  expect(released).toBe(2);
  expect([atA.error?.message, atB.closed]).toEqual([
    "a file has ended before what was to be sent of it",
    1,
  ]);
});
