/** Keys and certificates as texts in PEM (RFC 7468): found, read and judged before anybody needs them. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** What a listener shows. Both are PEM; the key is not encrypted. */
export interface KeyStore {
  /** The listener's certificate, then its chain. */
  readonly cert: string;
  readonly key: string;
  /** The end of the certificate's time, milliseconds since 1970. */
  readonly endsMs: number;
  /** The certificate itself, in DER. */
  readonly der: Uint8Array;
}

/** Why something cannot be used, and what to do about it: parts of an `OperatorError`. */
export class CertificateProblem extends Error {
  override readonly name = "CertificateProblem";
  constructor(readonly why: string, readonly whatToDo: string) {
    super(why);
  }
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s+(.+?)\s*-----END \1-----/gs;
const LINE_CHARS = 64;
const CONVERT = "convert it: openssl pkcs12 -in FILE -nodes -out FILE.pem (a JKS first: keytool " +
  "-importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12)";

/** What to do with a store that is no PEM. */
export const NO_PEM = new CertificateProblem("it is no PEM, which alone is read", CONVERT);

/**
 * Reads a key and its certificate, the first one in the text, with the chain behind it. Throws a
 * `CertificateProblem`.
 */
export function readKeyStore(
  text: string,
  password: string | null,
  nowMs: number,
): KeyStore {
  const certificates = certificatesIn(text);
  const [own] = certificates;
  const keyText = blocksOf(text).find(({ label }) => label.endsWith("PRIVATE KEY"))?.text;
  if (own === undefined) throw missing("certificate", text);
  if (keyText === undefined) throw missing("key", text);
  const key = readKey(keyText, password);
  if (!own.parsed.checkPrivateKey(key)) {
    throw new CertificateProblem(
      "the key is not the certificate's",
      "give the key that the certificate was made for; the certificate comes before its chain",
    );
  }
  refuseOutOfTime(own.parsed, nowMs);
  return {
    cert: certificates.map((each) => each.text).join(""),
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
    endsMs: own.parsed.validToDate.getTime(),
    der: new Uint8Array(own.parsed.raw),
  };
}

/** Reads certificates of who is trusted. Throws a `CertificateProblem`. */
export function readTrustStore(text: string): string {
  const certificates = certificatesIn(text);
  if (certificates.length === 0) throw missing("certificate", text);
  return certificates.map((each) => each.text).join("");
}

function missing(what: string, text: string): CertificateProblem {
  if (!text.includes("-----BEGIN ")) return NO_PEM;
  return new CertificateProblem(
    `there is no ${what} in it`,
    `it needs a block -----BEGIN ${what === "key" ? "PRIVATE KEY" : "CERTIFICATE"}-----`,
  );
}

function certificatesIn(text: string): { text: string; parsed: X509Certificate }[] {
  return blocksOf(text).filter(({ label }) => label === "CERTIFICATE").map((block, index) => {
    try {
      return { text: block.text, parsed: new X509Certificate(block.text) };
    } catch {
      throw new CertificateProblem(
        `certificate ${index + 1} in it cannot be read`,
        "check it with: openssl x509 -noout -text -in FILE",
      );
    }
  });
}

/** Lines may be of any length, as in properties, where they are often one. */
function blocksOf(text: string): { label: string; text: string }[] {
  return Array.from(text.matchAll(BLOCK), ([, label = "", body = ""]) => {
    // An old encrypted key has headers, each in its line.
    const lines = body.includes(":")
      ? body
      : body.replace(/\s+/g, "").replace(new RegExp(`.{${LINE_CHARS}}(?=.)`, "g"), "$&\n");
    return { label, text: `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n` };
  });
}

function readKey(text: string, password: string | null): KeyObject {
  const isEncrypted = text.includes("ENCRYPTED");
  if (isEncrypted && password === null) {
    throw new CertificateProblem("the key is encrypted", "give its password: ssl.key.password");
  }
  try {
    return createPrivateKey({
      key: text,
      format: "pem",
      ...(isEncrypted && password !== null && { passphrase: password }),
    });
  } catch {
    throw isEncrypted
      ? new CertificateProblem("the key cannot be decrypted", "check ssl.key.password")
      : new CertificateProblem("the key cannot be read", "check it with: openssl pkey -in FILE");
  }
}

function refuseOutOfTime(certificate: X509Certificate, nowMs: number): void {
  const { validFrom, validTo } = certificate;
  if (certificate.validToDate.getTime() < nowMs) {
    throw new CertificateProblem(
      `the certificate has expired (${validTo})`,
      "have a new one signed",
    );
  }
  if (certificate.validFromDate.getTime() > nowMs) {
    throw new CertificateProblem(
      `the certificate is not valid before ${validFrom}`,
      "compare this host's clock, or wait",
    );
  }
}
