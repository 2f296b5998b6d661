/** How a cluster is reached, by the names that Kafka's clients have for it. */
import type { ClientOptions, SaslOptions, TlsOptions } from "../../../client/index.ts";
import { textOfFile } from "../../formats/index.ts";
import { choice, FieldError, list, secret, string } from "../../index.ts";

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** Security, for `clusterOptions` alone. `prefix` is `source.cluster.` or `target.cluster.`. */
function securityFields(prefix: string, whose: string): object {
  const group = "Security";
  const key = (name: string) => prefix + name;
  return {
    [key("security.protocol")]: choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
      .default("PLAINTEXT").group(group).doc(`How brokers of ${whose} are spoken to.`),
    [key("sasl.mechanism")]: choice(...MECHANISMS).default("PLAIN").group(group)
      .doc(`How brokers of ${whose} are told who we are.`),
    [key("sasl.jaas.config")]: secret().optional().group(group).doc(
      `User and password for ${whose}, as Kafka's login modules have them: … required username="…" ` +
        'password="…";.',
    ),
    [key("ssl.truststore.location")]: string().optional().group(group)
      .doc(`A file of certificates (PEM) that brokers of ${whose} are trusted by.`),
    [key("ssl.truststore.certificates")]: string().optional().group(group)
      .doc(`The same certificates (PEM) as a text.`),
    [key("ssl.truststore.type")]: choice("PEM").default("PEM").group(group)
      .doc("The format of that file; key stores of Java cannot be read."),
    [key("ssl.keystore.location")]: string().optional().group(group)
      .doc(`A file with certificate and key (PEM) that brokers of ${whose} are shown.`),
    [key("ssl.keystore.certificate.chain")]: string().optional().group(group)
      .doc(`The certificate (PEM) that brokers of ${whose} are shown, as a text.`),
    [key("ssl.keystore.key")]: secret().optional().group(group)
      .doc("The key (PEM) of that certificate, not encrypted."),
    [key("ssl.keystore.type")]: choice("PEM").default("PEM").group(group)
      .doc("The format of that file; key stores of Java cannot be read."),
    [key("ssl.endpoint.identification.algorithm")]: choice("https", "").default("https")
      .group(group).doc("Whether the names in certificates are looked at; empty: they are not."),
  };
}

const brokers = () =>
  list().check((all) =>
    all.length > 0 && all.every((one) => /^.+:\d+$/.test(one))
      ? null
      : "must be HOST:PORT, or several with commas between"
  );

export const sourceClusterFields = {
  "source.cluster.bootstrap.servers": brokers().importance("HIGH")
    .doc("Brokers of the cluster that is copied from.").example("old-cluster:9092"),
  ...securityFields("source.cluster.", "the source"),
};

export const targetClusterFields = {
  "target.cluster.bootstrap.servers": brokers().optional()
    .doc(
      "Brokers of the cluster that is copied to; not given: those of the worker, as it has to be.",
    ),
  ...securityFields("target.cluster.", "the target"),
};

/** What a client of the cluster is made with. Throws `FieldError`. */
export function clusterOptions(
  config: Readonly<Record<string, unknown>>,
  side: "source" | "target",
): ClientOptions {
  const prefix = `${side}.cluster.`;
  const textOf = (name: string) => {
    const value = config[prefix + name];
    return typeof value === "string" && value !== "" ? value : null;
  };
  const servers = config[`${prefix}bootstrap.servers`];
  const protocol = textOf("security.protocol") ?? "PLAINTEXT";
  const tls = protocol.endsWith("SSL") ? tlsOf(textOf, prefix) : null;
  const sasl = protocol.startsWith("SASL") ? saslOf(textOf, prefix) : null;
  return {
    brokers: Array.isArray(servers) ? servers.map(String) : [],
    ...(tls === null ? {} : { tls }),
    ...(sasl === null ? {} : { sasl }),
  };
}

type TextOf = (name: string) => string | null;

function saslOf(textOf: TextOf, prefix: string): SaslOptions {
  const name = `"${prefix}sasl.jaas.config"`;
  const jaas = textOf("sasl.jaas.config");
  if (jaas === null) throw new FieldError(`${name} is missing: who we are`);
  const entries = new Map<string, string>();
  for (const [, key, quoted, plain] of jaas.matchAll(ENTRY)) {
    entries.set(key!, quoted?.replaceAll(/\\(.)/g, "$1") ?? plain!);
  }
  const username = entries.get("username");
  const password = entries.get("password");
  if (username === undefined || password === undefined) {
    throw new FieldError(`${name} has no username="…" and password="…"`);
  }
  const mechanism = MECHANISMS.find((known) => known === textOf("sasl.mechanism")) ?? "PLAIN";
  return { mechanism, username, password };
}

const ENTRY = /(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g;

function tlsOf(textOf: TextOf, prefix: string): TlsOptions {
  const fileOf = (name: string): string | null => {
    const path = textOf(name);
    return path === null ? null : textOfFile(`${prefix}${name}`, path);
  };
  const ca = textOf("ssl.truststore.certificates") ?? fileOf("ssl.truststore.location");
  const store = fileOf("ssl.keystore.location");
  const cert = textOf("ssl.keystore.certificate.chain") ?? store;
  const key = textOf("ssl.keystore.key") ?? store;
  for (const [name, pem] of [["truststore", ca], ["keystore", cert]] as const) {
    if (pem !== null && !pem.includes("-----BEGIN ")) {
      throw new FieldError(
        `"${prefix}ssl.${name}.location" is no PEM: turn it into one with keytool and openssl`,
      );
    }
  }
  const checksName = textOf("ssl.endpoint.identification.algorithm") !== null;
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(checksName ? {} : { checksName: false }),
  };
}
