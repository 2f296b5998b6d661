/** The security of the listeners of `serve`: who speaks TLS, with what, and who may come in. */
import { superUsersOf } from "../../broker/config/access-configs.ts";
import { formatAddress, isLoopback, type ListenerSpec } from "../../broker/listeners.ts";
import type { RunningBroker } from "../../broker/start-broker.ts";
import type { HostPort, TlsOptions } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminFlags, isAdminSafe } from "./admin-security.ts";
import type { TlsSources } from "./tls.ts";

/** The listeners with what they need for TLS, and what goes with it. */
export interface ListenerSecurity {
  readonly listeners: readonly ListenerSpec[];
  /** The TLS of the nodes among themselves; null: they do without. */
  readonly ofNodes: NodesTls | null;
  /** Reads certificates again when their files change, from now on. */
  watch(running: RunningBroker): void;
}

/** How a node connects to others with TLS. */
export interface NodesTls {
  /** What it shows and whom it trusts, at the moment. */
  readonly options: () => TlsOptions;
  /** Whether nodes know one another by their certificates: all clients there show one. */
  readonly isMutual: boolean;
  /** Who this node is by its own: `User:CN=node`; null: no rule says it. */
  readonly principal: string | null;
}

/** What it is made from. */
export interface SecuritySources extends TlsSources {
  readonly logger: Logger;
  /** The listener on which the nodes of a cluster meet; null: there is no cluster. */
  readonly between: string | null;
}

/**
 * Reads the keys and certificates of listeners with TLS. Throws an `OperatorError` (usage) for what
 * cannot be used.
 */
export async function secureListeners(
  listeners: readonly ListenerSpec[],
  sources: SecuritySources,
): Promise<ListenerSecurity> {
  const { tlsCert, tlsKey, tlsCa } = sources.flags;
  const isAsked = tlsCert !== undefined || tlsKey !== undefined || tlsCa !== undefined;
  if (!isAsked && !listeners.some(({ protocol }) => speaksTls(protocol))) {
    return { listeners, ofNodes: null, watch: () => {} };
  }
  // Others start sooner without it.
  const { openTls } = await import("./open-tls.ts");
  return openTls(listeners, sources);
}

/** Whether listeners of this protocol speak TLS. */
export function speaksTls(protocol: ListenerSpec["protocol"]): boolean {
  return protocol === "SSL" || protocol === "SASL_SSL";
}

/** Those who may do everything, and with mutual TLS the nodes: `super.users`, as in Kafka. */
export function superUserSet({ config }: TlsSources): ReadonlySet<string> {
  return new Set(superUsersOf(config.get("super.users")));
}

/**
 * Only processes of this host may come in without showing who they are, unless the operator insists.
 * TLS alone hides what is said and says nothing of who speaks.
 */
export function refuseInsecure(
  listeners: readonly ListenerSpec[],
  admin: HostPort | "default" | "off",
  { insecure, ...flags }: AdminFlags & { readonly insecure?: boolean | undefined },
): void {
  const open = [
    ...listeners.filter((listener) => !authenticates(listener)).map(({ bind }) => bind),
    ...(typeof admin === "object" && !isAdminSafe(flags) ? [admin] : []),
  ].find(({ host }) => !isLoopback(host));
  if (open === undefined || insecure === true) return;
  if (open === admin) {
    throw new OperatorError(
      `refusing to listen on ${formatAddress(open)} for administration`,
      flags.adminAuth === true
        ? "passwords would be sent for all on the way to read"
        : "anybody who reaches it could read and change everything",
      "listen on 127.0.0.1, say --admin-auth with --admin-cert and --admin-key, or --insecure",
      2,
    );
  }
  throw new OperatorError(
    `refusing to listen on ${formatAddress(open)}`,
    "anybody who reaches it could read and change everything",
    "listen on 127.0.0.1, let clients show certificates (--tls-ca), or say --insecure",
    2,
  );
}

/** Whether a listener lets in only who has shown who he is. */
function authenticates({ protocol, tls }: ListenerSpec): boolean {
  return protocol === "SSL" && tls?.options.clientAuth === "required";
}
