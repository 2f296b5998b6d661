/**
 * TLS of listeners: which speak it, with which keys and certificates, from Kafka's configs or the flags.
 * All is read and judged before anything is bound, and read again when files change.
 */
import { readFileSync, statSync } from "node:fs";
import type { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { ListenerSpec, SecurityProtocol } from "../../broker/listeners.ts";
import {
  CertificateProblem,
  type KeyStore,
  NO_PEM,
  readKeyStore,
  readTrustStore,
} from "../../broker/tls/certificates.ts";
import { byCertificate, type ListenerTls } from "../../broker/tls/listener-tls.ts";
import { parsePrincipalMapping } from "../../broker/tls/principal-mapping.ts";
import type { ClientAuth, TlsOptions, TlsVersion } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";

/** The flags; they stand for the configs of all listeners with TLS. */
export interface TlsFlags {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
}

/** What a listener's TLS is read from. */
export interface TlsSources {
  readonly config: BrokerConfig;
  readonly flags: TlsFlags;
  readonly nowMs: () => number;
}

/** A listener's TLS as it was read. */
export interface ReadTls {
  readonly tls: ListenerTls;
  /** The same, for connections of this broker to the like listeners of others. */
  readonly asClient: TlsOptions;
  readonly keyStore: KeyStore;
  /** The files that it was read from. */
  readonly files: readonly string[];
}

const WARN_BEFORE_END_MS = 14 * 24 * 3_600_000;

/** Throws an `OperatorError` (usage) for flags of TLS that nobody would use. */
export function checkTlsFlags({ tlsCert, tlsKey }: TlsFlags, isUsed: boolean): void {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw usage("--tls-cert and --tls-key belong together", "", "give both");
  }
  if (isUsed) return;
  throw usage(
    "no listener speaks TLS",
    "all have names of other protocols",
    "leave out the name before --listen, or map it: " +
      "--set listener.security.protocol.map=NAME:SSL",
  );
}

/** Reads the TLS of a listener. Throws an `OperatorError` (usage). */
export function readTls(
  { name, protocol }: Pick<ListenerSpec, "name" | "protocol">,
  sources: TlsSources,
): ReadTls {
  const files: string[] = [];
  const read = (path: string, what: string) => {
    files.push(path);
    return fileText(path, what);
  };
  const what = `the listener ${name} cannot speak TLS`;
  const keyStore = readKeys(name, what, sources, read);
  const ca = readTrust(name, what, sources, read);
  const clientAuth = clientAuthOf(name, protocol, sources, ca !== null);
  if (clientAuth !== "none" && ca === null) {
    throw usage(
      what,
      `ssl.client.auth is ${clientAuth}, and nobody is trusted to sign clients' certificates`,
      "say --tls-ca FILE, or set ssl.truststore.location",
    );
  }
  const { cert, key } = keyStore;
  const trust = ca === null ? {} : { ca };
  const { config } = sources;
  const versions = config.ofListener(name, "ssl.enabled.protocols") as readonly TlsVersion[];
  const checksName = config.ofListener(name, "ssl.endpoint.identification.algorithm") !== "";
  return {
    tls: {
      options: { cert, key, ...trust, clientAuth, versions },
      identify: identify(name, config),
    },
    asClient: { cert, key, ...trust, checksName },
    keyStore,
    files,
  };
}

/** Tells of a certificate that ends soon. */
export function warnOfEnd(
  logger: Logger,
  name: string,
  { keyStore }: ReadTls,
  nowMs: number,
): void {
  if (keyStore.endsMs - nowMs > WARN_BEFORE_END_MS) return;
  const ends = new Date(keyStore.endsMs).toISOString();
  logger.warn("the certificate of a listener ends soon", { listener: name, ends });
}

function identify(name: string, config: BrokerConfig): ListenerTls["identify"] {
  const rules = parsePrincipalMapping(config.ofListener(name, "ssl.principal.mapping.rules"));
  if (rules.ok) return byCertificate(rules.map);
  throw usage(
    "ssl.principal.mapping.rules cannot be read",
    rules.why,
    "write RULE:pattern/replacement/ or DEFAULT, with commas between them",
  );
}

/** In Kafka, what is set for all listeners is not meant for those with SASL (KIP-684). */
function clientAuthOf(
  name: string,
  protocol: SecurityProtocol | undefined,
  { config, flags }: TlsSources,
  isTrusting: boolean,
): ClientAuth {
  const isOwn = config.isSetFor(name, "ssl.client.auth");
  if (protocol === "SASL_SSL" && !isOwn) return "none";
  const isSet = isOwn || config.isSet("ssl.client.auth");
  if (!isSet) return flags.tlsCa !== undefined && isTrusting ? "required" : "none";
  return config.ofListener(name, "ssl.client.auth") as ClientAuth;
}

type ReadFile = (path: string, what: string) => string;

function readKeys(name: string, what: string, sources: TlsSources, read: ReadFile): KeyStore {
  const { config, flags: { tlsCert, tlsKey }, nowMs } = sources;
  const password = config.ofListener(name, "ssl.key.password");
  const isOwn = isSetForItAlone(
    name,
    config,
    "ssl.keystore.location",
    "ssl.keystore.certificate.chain",
  );
  return judged(what, () => {
    if (!isOwn && tlsCert !== undefined && tlsKey !== undefined) {
      const certificates = certificatesOnly(read(tlsCert, "--tls-cert"));
      return readKeyStore(`${certificates}\n${read(tlsKey, "--tls-key")}`, password, nowMs());
    }
    refuseOtherForms(config.ofListener(name, "ssl.keystore.type"));
    refusePassword(config.ofListener(name, "ssl.keystore.password"), "ssl.keystore.password");
    const path = config.ofListener(name, "ssl.keystore.location");
    const chain = config.ofListener(name, "ssl.keystore.certificate.chain");
    const key = config.ofListener(name, "ssl.keystore.key");
    if (path !== null) return readKeyStore(read(path, "ssl.keystore.location"), password, nowMs());
    if (chain !== null && key !== null) return readKeyStore(`${chain}\n${key}`, password, nowMs());
    throw new CertificateProblem(
      "it has no certificate",
      "say --tls-cert FILE --tls-key FILE, or set ssl.keystore.location",
    );
  });
}

function readTrust(
  name: string,
  what: string,
  { config, flags }: TlsSources,
  read: ReadFile,
): string | null {
  const isOwn = isSetForItAlone(
    name,
    config,
    "ssl.truststore.location",
    "ssl.truststore.certificates",
  );
  return judged(what, () => {
    if (!isOwn && flags.tlsCa !== undefined) {
      return readTrustStore(read(flags.tlsCa, "--tls-ca"));
    }
    const path = config.ofListener(name, "ssl.truststore.location");
    const text = config.ofListener(name, "ssl.truststore.certificates");
    if (path === null && text === null) return null;
    refuseOtherForms(config.ofListener(name, "ssl.truststore.type"));
    refusePassword(config.ofListener(name, "ssl.truststore.password"), "ssl.truststore.password");
    return readTrustStore(path === null ? text ?? "" : read(path, "ssl.truststore.location"));
  });
}

/** What is set for the listener alone wins over flags. */
function isSetForItAlone(
  name: string,
  config: BrokerConfig,
  ...names: Parameters<BrokerConfig["isSetFor"]>[1][]
): boolean {
  return names.some((each) => config.isSetFor(name, each));
}

/** What is in a file of certificates without a key, which is not meant there. */
export function certificatesOnly(text: string): string {
  return text.replace(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----/gs, "");
}

function refuseOtherForms(type: string): void {
  if (type !== "PEM") {
    throw new CertificateProblem(`${type} is not read, PEM alone`, NO_PEM.whatToDo);
  }
}

function refusePassword(password: string | null, name: string): void {
  if (password === null) return;
  throw new CertificateProblem(
    "a PEM file has no password of its own",
    `leave out ${name}; that of an encrypted key is ssl.key.password`,
  );
}

/** Turns what is wrong with certificates into an `OperatorError` (usage) that begins with `what`. */
export function judged<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CertificateProblem) throw usage(what, error.why, error.whatToDo);
    throw error;
  }
}

/** The text of a file of certificates. Throws a `CertificateProblem`. */
export function fileText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CertificateProblem(`cannot read ${path}: ${reasonOf(error)}`, `check ${what}`);
  }
}

/** What tells that a file has changed, whatever its name leads to; "" if it is not there. */
export function fingerprint(paths: readonly string[]): string {
  return paths.map((path) => {
    try {
      const { mtimeMs, ino, size } = statSync(path);
      return `${mtimeMs} ${ino} ${size}`;
    } catch {
      return "";
    }
  }).join("\n");
}

function usage(what: string, why: string, whatToDo: string): OperatorError {
  return new OperatorError(what, why, whatToDo, 2);
}
