/** How a listener of the broker speaks TLS, and who its clients are by their certificates. */
import type { ListenTlsOptions } from "../../core/io.ts";
import { subjectOf } from "../../core/x500-name.ts";
import { ANONYMOUS, type Principal, principalName } from "../authorizer.ts";
import { CLUSTER_PRINCIPAL } from "../cluster/cluster-secret.ts";
import type { PrincipalMapping } from "./principal-mapping.ts";

/** See the head of the file. */
export interface ListenerTls {
  readonly options: ListenTlsOptions;
  /** Who a client is by its certificate (DER; null: it has shown none); null: no rule names it. */
  identify(certificate: Uint8Array | null): Principal | null;
}

/** Names clients as Kafka does (`DefaultKafkaPrincipalBuilder`). */
export function byCertificate(mapping: PrincipalMapping): ListenerTls["identify"] {
  return (certificate) => {
    if (certificate === null) return ANONYMOUS;
    const subject = subjectOf(certificate);
    const name = subject === null ? null : mapping(subject);
    return name === null ? null : { type: "User", name };
  };
}

/**
 * Takes clients with one of these names (`User:CN=node`) for nodes of the cluster. For the listener on
 * which nodes meet, where all clients show a certificate.
 */
export function withNodes(tls: ListenerTls, nodes: ReadonlySet<string>): ListenerTls {
  return {
    options: tls.options,
    identify: (certificate) => {
      const principal = tls.identify(certificate);
      if (principal === null) return null;
      return nodes.has(principalName(principal)) ? CLUSTER_PRINCIPAL : principal;
    },
  };
}
