/** Whom a broker tells of itself unasked: systemd, and an OpenTelemetry collector. Loaded where they are. */
import type { Broker } from "../../broker/broker.ts";
import type { RunningBroker } from "../../broker/start-broker.ts";
import { formatAddress } from "../../broker/listeners.ts";
import type { Clock } from "../../core/io.ts";
import type { SystemdNotices } from "./systemd.ts";

/** What goes on until the broker stops. */
export interface Reports {
  /** To be called before it stops. */
  stopping(): void;
  /** Resolves when it has stopped and nothing more is sent. */
  readonly ended: Promise<void>;
}

/** Tells that the broker serves, and goes on from there; a shard leaves systemd to its supervisor. */
export async function startReports(
  running: RunningBroker,
  clock: Clock,
  version: string,
  isShard: boolean,
): Promise<Reports> {
  const { broker } = running;
  broker.metrics.process.start(clock, broker.stopping);
  const systemd = isShard ? null : await systemdNotices(clock);
  const addresses = running.listeners.map(({ bound }) => formatAddress(bound));
  systemd?.ready(`serving on ${addresses.join()}`);
  return { stopping: () => systemd?.stopping(), ended: sendTelemetry(broker, version) };
}

/** Sends telemetry to a collector where one is configured, until the broker stops. */
async function sendTelemetry(broker: Broker, version: string): Promise<void> {
  if (broker.config.get("kstream.otlp.endpoint") === "") return;
  const { exportTelemetry } = await import("../../admin/otlp/telemetry.ts");
  await exportTelemetry(broker, version);
}

/** Where systemd listens; programs that this one starts must not speak for it. */
export async function systemdNotices(clock: Clock): Promise<SystemdNotices | null> {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = process.env;
  if (!NOTIFY_SOCKET) return null;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete process.env[name];
  const { SystemdNotices } = await import("./systemd.ts");
  const environment = {
    NOTIFY_SOCKET,
    ...(WATCHDOG_USEC !== undefined && { WATCHDOG_USEC }),
    ...(WATCHDOG_PID !== undefined && { WATCHDOG_PID }),
  };
  return new SystemdNotices(clock, environment, process.pid);
}
