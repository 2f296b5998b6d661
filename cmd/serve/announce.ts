/** How `serve` tells people and scripts where it serves and what its acknowledgements mean. */
import { renameSync, writeFileSync } from "node:fs";
import type { BrokerConfig } from "../../broker/config/broker-config.ts";
import { formatAddress, type ListenerInfo } from "../../broker/listeners.ts";
import type { HttpAddress } from "../../core/io/http.ts";
import type { HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";

/** What an acknowledgement means, in words. */
export type Durable = "memory" | "fsync" | "os";

/** What the configs promise. */
export function durableOf(config: BrokerConfig): Durable {
  if (config.get("kstream.storage") === "memory") return "memory";
  return config.get("kstream.durability") === "os" ? "os" : "fsync";
}

/** `Durable` in words. */
export const MEANING: Readonly<Record<Durable, string>> = {
  memory: "in memory only: gone when this process ends",
  fsync: "acks=all is synced to disk: it survives power loss",
  os: "in the system's cache: survives this process, not power loss",
};

/** Where a client on this host reaches a listener. */
export function reachable({ bound, advertised }: ListenerInfo): HostPort {
  if (advertised !== null) return { host: advertised.host, port: advertised.port || bound.port };
  if (bound.host === "0.0.0.0") return { host: "127.0.0.1", port: bound.port };
  if (bound.host === "::") return { host: "::1", port: bound.port };
  return bound;
}

/** The screenful at the start. */
export function banner(options: {
  readonly version: string;
  readonly listeners: readonly ListenerInfo[];
  /** Where the admin API is; null: nowhere. */
  readonly admin: HttpAddress | null;
  /** Null: in memory. */
  readonly dataDir: string | null;
  readonly durable: Durable;
}): string {
  const first = options.listeners.find(({ protocol }) => protocol === undefined) ??
    options.listeners[0];
  const address = first === undefined ? "" : formatAddress(reachable(first));
  const tls = first?.protocol === "SSL" ? " --tls" : "";
  const lines = [
    `kstream ${options.version} serves Kafka's protocol`,
    "",
    ...options.listeners.map((listener) => {
      const isNamed = options.listeners.length > 1 || listener.protocol !== undefined;
      const name = isNamed ? `${listener.name} ` : "";
      const { bound } = listener;
      const at = formatAddress(reachable(listener));
      const on = formatAddress(bound) === at ? "" : ` (bound to ${formatAddress(bound)})`;
      return `  address         ${name}${at}${on}`;
    }),
    ...(options.admin === null ? [] : [`  admin           ${adminUrl(options.admin)}`]),
    `  data            ${options.dataDir ?? "in memory"}`,
    `  acknowledged    ${MEANING[options.durable]}`,
    "",
    `  try             echo hello | kstream produce greetings -b ${address}${tls}`,
    `                  kstream consume greetings -e -b ${address}${tls}`,
    "",
  ];
  return lines.join("\n");
}

/** Where a program on this host asks the admin API. */
export function adminUrl({ host, port, isTls }: HttpAddress): string {
  const reached = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${isTls ? "https" : "http"}://${formatAddress({ host: reached, port })}`;
}

/**
 * One line of JSON: `{"addresses":[{"listener":"PLAINTEXT","host":"127.0.0.1","port":9092}],
 * "admin":"http://127.0.0.1:8080"}`; `admin` is null if there is none.
 */
export function addressJson(listeners: readonly ListenerInfo[], admin: HttpAddress | null): string {
  return JSON.stringify({
    addresses: listeners.map((listener) => ({
      listener: listener.name,
      ...reachable(listener),
    })),
    admin: admin === null ? null : adminUrl(admin),
  });
}

/**
 * Writes the addresses, one `host:port` per line, and the admin API's as an URL in the last line if
 * there is one. The file is there whole or not at all.
 */
export function writeReadyFile(
  path: string,
  listeners: readonly ListenerInfo[],
  admin: HttpAddress | null,
): void {
  const lines = listeners.map((listener) => formatAddress(reachable(listener)));
  if (admin !== null) lines.push(adminUrl(admin));
  writeReadyLines(path, lines);
}

/** Writes the lines, so that the file is there whole or not at all. Throws an `OperatorError`. */
export function writeReadyLines(path: string, lines: readonly string[]): void {
  const text = lines.map((line) => `${line}\n`).join("");
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot write the ready file ${path}`, why, "check --ready-file");
  }
}
