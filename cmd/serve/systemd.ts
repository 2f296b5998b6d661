/**
 * Tells systemd how the broker is, where it was started with `Type=notify` (sd_notify(3)): that it can
 * serve, that it stops, and, with `WatchdogSec=`, again and again that its event loop runs.
 */
import { sendUnixDatagram } from "../../core/io/bun/libc.ts";
import type { Clock, Timer } from "../../core/io.ts";

/** The variables that systemd sets. */
export type SystemdEnvironment = Readonly<
  Partial<Record<"NOTIFY_SOCKET" | "WATCHDOG_USEC" | "WATCHDOG_PID", string>>
>;

/** See the head of the file; does nothing where systemd does not listen. */
export class SystemdNotices {
  readonly #socket: string | null;
  /** How long systemd waits for a sign of life; null: it does not. */
  readonly watchdogMs: number | null;
  #timer: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    environment: SystemdEnvironment,
    pid: number,
    private readonly send: typeof sendUnixDatagram = sendUnixDatagram,
  ) {
    this.#socket = environment.NOTIFY_SOCKET || null;
    const isForUs = (environment.WATCHDOG_PID ?? String(pid)) === String(pid);
    const watchdogMs = Number(environment.WATCHDOG_USEC) / 1000;
    this.watchdogMs = isForUs && watchdogMs > 0 ? watchdogMs : null;
  }

  /** It can serve. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
    if (this.watchdogMs !== null) this.#beat(this.watchdogMs / 2);
  }

  /** It begins to stop. */
  stopping(): void {
    this.#timer?.cancel();
    this.#tell("STOPPING=1\nSTATUS=stopping");
  }

  #beat(everyMs: number): void {
    this.#timer = this.clock.setTimer(everyMs, () => {
      this.#tell("WATCHDOG=1");
      this.#beat(everyMs);
    });
  }

  #tell(message: string): void {
    if (this.#socket === null) return;
    this.send(this.#socket, new TextEncoder().encode(message));
  }
}
