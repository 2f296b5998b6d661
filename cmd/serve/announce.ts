/** How `serve` tells people and scripts where it serves and what its acknowledgements mean. */
import { renameSync, writeFileSync } from "node:fs";
import { formatAddress, type ListenerInfo } from "../../broker/listeners.ts";
import type { HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** What an acknowledgement means, in words. */
export type Durable = "memory" | "fsync" | "os";

const MEANING: Readonly<Record<Durable, string>> = {
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
  /** Null: in memory. */
  readonly dataDir: string | null;
  readonly durable: Durable;
}): string {
  const [first] = options.listeners;
  const address = first === undefined ? "" : formatAddress(reachable(first));
  const lines = [
    `kstream ${options.version} serves Kafka's protocol`,
    "",
    ...options.listeners.map((listener) => {
      const name = options.listeners.length > 1 ? `${listener.name} ` : "";
      const { bound } = listener;
      const at = formatAddress(reachable(listener));
      const on = formatAddress(bound) === at ? "" : ` (bound to ${formatAddress(bound)})`;
      return `  address         ${name}${at}${on}`;
    }),
    `  data            ${options.dataDir ?? "in memory"}`,
    `  acknowledged    ${MEANING[options.durable]}`,
    "",
    `  try             echo hello | kstream produce greetings -b ${address}`,
    `                  kstream consume greetings -e -b ${address}`,
    "",
  ];
  return lines.join("\n");
}

/** One line of JSON: `{"addresses":[{"listener":"PLAINTEXT","host":"127.0.0.1","port":9092}]}`. */
export function addressJson(listeners: readonly ListenerInfo[]): string {
  return JSON.stringify({
    addresses: listeners.map((listener) => ({
      listener: listener.name,
      ...reachable(listener),
    })),
  });
}

/** Writes the addresses, one `host:port` per line, so that the file is there whole or not at all. */
export function writeReadyFile(path: string, listeners: readonly ListenerInfo[]): void {
  const text = listeners.map((listener) => `${formatAddress(reachable(listener))}\n`).join("");
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`cannot write the ready file ${path}`, why, "check --ready-file");
  }
}
