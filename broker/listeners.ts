/**
 * Where the broker listens, and which address it tells its clients to use.
 */
import type { HostPort } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import type { ListenerTls } from "./tls/listener-tls.ts";

/** Kafka's port for plaintext. */
export const DEFAULT_PORT = 9092;
/** The name of a listener that was given none. */
export const DEFAULT_LISTENER = "PLAINTEXT";

/** Kafka's security protocols by their numbers (`SecurityProtocol`). */
export const SecurityProtocols = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
} as const;

/** The name of one of them. */
export type SecurityProtocol = keyof typeof SecurityProtocols;

/** A listener as it is asked for. */
export interface ListenerSpec {
  readonly name: string;
  /** Default: PLAINTEXT. */
  readonly protocol?: SecurityProtocol;
  /** Where the protocol is SSL or SASL_SSL. */
  readonly tls?: ListenerTls;
  /** Where to bind; port 0 lets the system choose. */
  readonly bind: HostPort;
  /** What clients of this listener are told, or null: the address that they came in on. */
  readonly advertised: HostPort | null;
}

/** A listener that is bound: `bound.port` is never 0. */
export interface ListenerInfo {
  readonly name: string;
  /** Default: PLAINTEXT. */
  readonly protocol?: SecurityProtocol;
  readonly bound: HostPort;
  readonly advertised: HostPort | null;
}

/** What `advertisedAddress` has to know of a request. */
export interface ArrivalContext {
  readonly listener: ListenerInfo;
  readonly localAddress: HostPort;
}

/**
 * The address of this broker for the sender of a request, as Metadata, FindCoordinator and
 * DescribeCluster answer it: what the listener advertises, else the local address that the
 * connection came in on, which is reachable for its client by construction, also behind a
 * wildcard bind, several interfaces or IPv6.
 */
export function advertisedAddress(context: ArrivalContext): HostPort {
  const { advertised, bound } = context.listener;
  if (advertised === null) return context.localAddress;
  // Port 0 was advertised for a port that the system chose.
  return advertised.port === 0 ? { host: advertised.host, port: bound.port } : advertised;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress(address: HostPort): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

export { isLoopback } from "../core/ip-address.ts";

/**
 * Reads `[NAME=]address`, where an address is `host`, `host:port`, `:port`, `port`, `[v6]:port` or
 * `[v6]`. Kafka's own `NAME://host:port` is understood too. An empty host is every interface.
 */
export function parseNamedAddress(
  text: string,
  flag: string,
  defaultName: string = DEFAULT_LISTENER,
): { readonly name: string; readonly address: HostPort } {
  const match = /^(?:([A-Za-z][\w-]*)(?:=|:\/\/))?(.*)$/s.exec(text);
  return {
    name: (match?.[1] ?? defaultName).toUpperCase(),
    address: parseAddress(match?.[2] ?? "", flag),
  };
}

function parseAddress(text: string, flag: string): HostPort {
  const bad = (why: string) =>
    new OperatorError(
      `${flag} cannot be read: "${text}"`,
      why,
      "write it as host:port, :port or [IPv6]:port, with NAME= before it for a named listener",
      2,
    );
  const match = /^(?:\[([0-9A-Fa-f:.%\w]*)\]|([^:[\]\s]*))(?::(\d+))?$/.exec(text);
  if (match === null) throw bad("it is no address");
  const onlyDigits = match[2] !== undefined && match[3] === undefined && /^\d+$/.test(match[2]);
  const port = Number(onlyDigits ? match[2] : match[3] ?? DEFAULT_PORT);
  if (port > 65_535) throw bad("a port is at most 65535");
  const host = onlyDigits ? "" : match[1] ?? match[2] ?? "";
  if (text === "") throw bad("it is empty");
  return { host: host === "" ? "0.0.0.0" : host, port };
}

/**
 * The listeners from their flags: each `--advertise` goes to the listener of its name; a name is
 * used once, and `defaultName` is that of whoever has none. Without `--listen` the broker listens on
 * loopback, port 9092.
 */
export function listenerSpecs(
  listen: readonly string[],
  advertise: readonly string[],
  defaultName: string = DEFAULT_LISTENER,
): ListenerSpec[] {
  const specs = new Map<string, ListenerSpec>();
  for (const text of listen.length === 0 ? [`127.0.0.1:${DEFAULT_PORT}`] : listen) {
    const { name, address } = parseNamedAddress(text, "--listen", defaultName);
    if (specs.has(name)) {
      throw new OperatorError(
        `two listeners are named ${name}`,
        `"${text}" would be the second`,
        "give each a name: --listen NAME=host:port",
        2,
      );
    }
    specs.set(name, { name, bind: address, advertised: null });
  }
  for (const text of advertise) {
    const { name, address } = parseNamedAddress(text, "--advertise", defaultName);
    const spec = specs.get(name);
    if (spec === undefined) {
      throw new OperatorError(
        `nothing listens as ${name}`,
        `--advertise "${text}" names a listener that --listen does not`,
        `advertise one of ${[...specs.keys()].join(", ")}`,
        2,
      );
    }
    if (address.host === "0.0.0.0" || address.host === "::") {
      throw new OperatorError(
        `--advertise "${text}" is an address that no client can connect to`,
        "it means every interface",
        "advertise a host name or one interface's address",
        2,
      );
    }
    specs.set(name, { ...spec, advertised: address });
  }
  return [...specs.values()];
}
