/** What the configs of TLS do, in a sentence or two. */
import type { SslConfigName } from "../ssl-configs.ts";

const PEM_ONLY = "PEM alone is read; others are refused with how to convert them.";
const NO_PASSWORD = "A PEM file has none: refused.";

export const SSL_DOCUMENTATION: Readonly<Record<SslConfigName, string>> = {
  "ssl.client.auth":
    "Whether clients show a certificate: none, requested or required. A bad one is refused in any case. For SASL_SSL only where it is set for the listener, as in Kafka.",
  "ssl.enabled.protocols": "The versions of TLS that are spoken.",
  "ssl.endpoint.identification.algorithm":
    "Whether the names in other brokers' certificates are compared with their hosts: https, or empty for no.",
  "ssl.key.password": "The password of the key, if it is encrypted.",
  "ssl.keystore.certificate.chain": "The broker's certificate and its chain, as PEM.",
  "ssl.keystore.key": "The broker's key, as PEM.",
  "ssl.keystore.location":
    "A file with the broker's key, its certificate and the chain, as PEM. Read again when it changes.",
  "ssl.keystore.password": NO_PASSWORD,
  "ssl.keystore.type": `The form of the keystore. ${PEM_ONLY}`,
  "ssl.principal.mapping.rules":
    "How the subject of a client's certificate becomes its name: rules as RULE:pattern/replacement/[LU], separated by commas, of which the first that fits counts; DEFAULT takes it as it is.",
  "ssl.protocol":
    "Kafka's way to choose an implementation: without effect beside ssl.enabled.protocols.",
  "ssl.truststore.certificates": "Who is trusted to sign certificates, as PEM.",
  "ssl.truststore.location":
    "A file of who is trusted to sign certificates, as PEM. Read again when it changes.",
  "ssl.truststore.password": NO_PASSWORD,
  "ssl.truststore.type": `The form of the truststore. ${PEM_ONLY}`,
};
