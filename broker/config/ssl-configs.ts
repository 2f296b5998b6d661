/**
 * The configs of TLS and of those who authenticate, which Kafka documents with its security. Each may
 * also be set for one listener alone, as `listener.name.NAME.ssl.keystore.location` (KIP-103).
 */
import {
  type ConfigDefinition,
  listConfig,
  listOf,
  oneOf,
  passwordConfig,
  stringConfig,
} from "./definitions.ts";

const keyFile = oneOf("PEM", "JKS", "PKCS12");

/** See the head of the file. */
export const SSL_CONFIGS = {
  "ssl.client.auth": stringConfig("none", oneOf("required", "requested", "none"), "MEDIUM"),
  "ssl.keystore.type": stringConfig("JKS", keyFile, "MEDIUM"),
  "ssl.keystore.location": stringConfig(null, null, "HIGH"),
  "ssl.keystore.password": passwordConfig(null, null, "HIGH"),
  "ssl.keystore.key": passwordConfig(null, null, "HIGH"),
  "ssl.keystore.certificate.chain": passwordConfig(null, null, "HIGH"),
  "ssl.key.password": passwordConfig(null, null, "HIGH"),
  "ssl.truststore.type": stringConfig("JKS", keyFile, "MEDIUM"),
  "ssl.truststore.location": stringConfig(null, null, "HIGH"),
  "ssl.truststore.password": passwordConfig(null, null, "HIGH"),
  "ssl.truststore.certificates": passwordConfig(null, null, "HIGH"),
  "ssl.protocol": stringConfig("TLSv1.3", oneOf("TLSv1.2", "TLSv1.3"), "MEDIUM"),
  "ssl.enabled.protocols": listConfig(
    "TLSv1.2,TLSv1.3",
    listOf({ words: ["TLSv1.2", "TLSv1.3"] }),
    "MEDIUM",
  ),
  "ssl.endpoint.identification.algorithm": stringConfig("https", oneOf("https", ""), "LOW"),
  "ssl.principal.mapping.rules": stringConfig("DEFAULT", null, "LOW"),
} as const satisfies Record<string, ConfigDefinition>;

/** The name of one of them, without a listener's. */
export type SslConfigName = keyof typeof SSL_CONFIGS;

/** What is before the name of a config that is set for one listener; Kafka writes its name small. */
export function listenerPrefix(listener: string): string {
  return `listener.name.${listener.toLowerCase()}.`;
}

const OF_LISTENER = /^listener\.name\.[\w-]+\.(.+)$/i;

/** The config that a name sets for one listener, or null if it is no such name. */
export function ofListener(name: string): SslConfigName | null {
  const config = OF_LISTENER.exec(name)?.[1] ?? "";
  return isSslConfig(config) ? config : null;
}

function isSslConfig(name: string): name is SslConfigName {
  return Object.hasOwn(SSL_CONFIGS, name);
}
