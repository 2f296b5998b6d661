/**
 * Which members of applications this server asks. Where they are asked is what members say of themselves
 * when they join a group, so whoever may join one could have this server ask any address that it
 * reaches. So only those are asked that
 *
 * - an operator has named (`--streams-hosts`), and no other is told the token; or
 * - are on this host, as the address and the member's connection to this very broker both say.
 */
import type { HostPort } from "../../core/io.ts";
import { isLoopback } from "../../core/ip-address.ts";

/** Hosts that an operator has named. */
export interface HostRule {
  readonly scheme: "http" | "https";
  /** A name or an address; with `*.` before it those below a name. */
  readonly host: string;
  /** Null: any. */
  readonly port: number | null;
}

/** An address that may be asked. */
export interface AllowedHost {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  readonly isNamed: boolean;
}

const HOST = /^(?:\[([0-9a-f:.]+)\]|((?:\*\.)?[a-z0-9._-]+))$/i;

/** `host`, `*.name`, with `:port` behind or `https://` before; null: it is none of these. */
export function parseHostRule(text: string): HostRule | null {
  const [, scheme = "http", host = "", port] =
    /^(?:(https?):\/\/)?(\[[^\]]*\]|[^:/]+)(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  const [, bracketed, plain] = HOST.exec(host) ?? [];
  const name = bracketed ?? plain;
  if (name === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1) return null;
  return {
    scheme: scheme.toLowerCase() === "https" ? "https" : "http",
    host: name.toLowerCase(),
    port: port === undefined ? null : Number(port),
  };
}

/**
 * Reads what a member has said: `HOST:PORT`, with a path behind of a thread, which is not asked itself.
 * Null: it is no address.
 */
export function parseEndpoint(text: string): HostPort | null {
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:]+):(\d{1,5})(?:\/threads\/\d+)?$/.exec(text) ??
    [];
  const [, bracketed, plain] = HOST.exec(host) ?? [];
  const name = bracketed ?? plain;
  if (name === undefined || name.startsWith("*") || Number(port) < 1 || Number(port) > 65_535) {
    return null;
  }
  return { host: name.toLowerCase(), port: Number(port) };
}

/** Null: it is not to be asked. `isFromHere`: the member is connected to this broker from this host. */
export function allowedHost(
  { host, port }: HostPort,
  rules: readonly HostRule[],
  isFromHere: boolean,
): AllowedHost | null {
  const named = rules.find((rule) =>
    (rule.port ?? port) === port &&
    (rule.host.startsWith("*.") ? host.endsWith(rule.host.slice(1)) : host === rule.host)
  );
  if (named === undefined && !(isFromHere && isLoopback(host))) return null;
  const shown = host.includes(":") ? `[${host}]` : host;
  return { origin: `${named?.scheme ?? "http"}://${shown}:${port}`, isNamed: named !== undefined };
}
