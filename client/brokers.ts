import type { HostPort } from "../core/io.ts";

/** The port of a broker that is given without one. */
export const DEFAULT_PORT = 9092;

/** Reads `host[:port]`, an IPv6 address in brackets; null if it is none. */
export function parseBroker(text: string): HostPort | null {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65_535) return null;
  return { host: match[1] ?? match[2] ?? "", port };
}
