/** What systemd is told, on a real socket, and when. */
import { expect, test } from "bun:test";
import { dlopen, FFIType } from "bun:ffi";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunClock } from "../../core/io/bun/clock.ts";
import { sendUnixDatagram } from "../../core/io/bun/libc.ts";
import { HandClock } from "../../broker/hand-clock.test-helper.ts";
import { SystemdNotices } from "./systemd.ts";

/** A bound socket; what has come to it. */
function listen(path: string) {
  const { i32, u32, u64, i64_fast, ptr } = FFIType;
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, ptr, u32], returns: i32 },
    recv: { args: [i32, ptr, u64, i32], returns: i64_fast },
    close: { args: [i32], returns: i32 },
  });
  const isAbstract = path.startsWith("@");
  const name = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : path);
  const address = new Uint8Array(110);
  address[0] = 1;
  address.set(name, 2);
  const fd = symbols.socket(1, 2, 0);
  expect(symbols.bind(fd, address, 2 + name.length + (isAbstract ? 0 : 1))).toBe(0);
  return {
    next: (): string | null => {
      const buffer = new Uint8Array(1000);
      const count = Number(symbols.recv(fd, buffer, 1000, 0x40));
      return count < 0 ? null : new TextDecoder().decode(buffer.subarray(0, count));
    },
    close: () => symbols.close(fd),
  };
}

test.skipIf(process.platform !== "linux")("readiness and the end arrive, by name or path", () => {
  const dir = mkdtempSync(join(tmpdir(), "kstream-notify-"));
  for (const path of [join(dir, "notify"), `@kstream-test-${process.pid}`]) {
    const socket = listen(path);
    const notices = new SystemdNotices(bunClock, { NOTIFY_SOCKET: path }, 1);
    notices.ready("serving");
    notices.stopping();
    expect(socket.next()).toBe("READY=1\nSTATUS=serving");
    expect(socket.next()).toBe("STOPPING=1\nSTATUS=stopping");
    expect(socket.next()).toBeNull();
    socket.close();
  }
  rmSync(dir, { recursive: true });
});

test("nobody listens: no harm", () => {
  expect(sendUnixDatagram("/nowhere/at/all", new Uint8Array([1]))).toBe(false);
  expect(sendUnixDatagram("x".repeat(200), new Uint8Array([1]))).toBe(false);
  new SystemdNotices(bunClock, {}, 1).ready("serving");
});

test("the watchdog hears twice in its time, if it is ours", () => {
  const clock = new HandClock();
  const told: string[] = [];
  const send = (_: string, message: Uint8Array) => {
    told.push(new TextDecoder().decode(message).split("\n")[0] ?? "");
    return true;
  };
  const environment = { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "10000000", WATCHDOG_PID: "7" };
  const notices = new SystemdNotices(clock, environment, 7, send);
  notices.ready("serving");
  for (let round = 0; round < 4; round++) clock.advance(2500);
  notices.stopping();
  clock.advance(20_000);
  expect(told).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]);
  told.length = 0;
  const others = new SystemdNotices(clock, environment, 8, send);
  others.ready("serving");
  clock.advance(20_000);
  expect(told).toEqual(["READY=1"]);
});
