/** What systemd is told, on a real socket, and when. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunClock } from "../../core/io/bun/clock.ts";
import { sendUnixDatagram } from "../../core/io/bun/libc.ts";
import { HandClock } from "../../broker/hand-clock.test-helper.ts";
import { notifySocket } from "../../tests/harness/notify-socket.ts";
import { SystemdNotices } from "./systemd.ts";

test.skipIf(process.platform !== "linux")("readiness and the end arrive, by name or path", () => {
  const dir = mkdtempSync(join(tmpdir(), "kstream-notify-"));
  for (const path of [join(dir, "notify"), `@kstream-test-${process.pid}`]) {
    const socket = notifySocket(path);
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
