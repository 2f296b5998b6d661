/** The certificate of an HTTP server, as options name it. */
import { readKeyStore, readTrustStore } from "../broker/tls/certificates.ts";
import type { HttpTls } from "../core/io/http.ts";
import { OperatorError } from "../core/operator-error.ts";
import { certificatesOnly, fileText, judged } from "./serve/tls.ts";

/** The options, by their names, and what they have. */
export interface HttpTlsFlags {
  readonly cert: readonly [flag: string, file: string | undefined];
  readonly key: readonly [flag: string, file: string | undefined];
}

/** Reads both; null: it is to speak plain HTTP. Throws an `OperatorError` (usage), which begins so. */
export function readHttpTls(
  whose: string,
  { cert: [certFlag, certFile], key: [keyFlag, keyFile] }: HttpTlsFlags,
  nowMs: number,
): HttpTls | null {
  if (certFile === undefined && keyFile === undefined) return null;
  const what = `${whose} cannot speak TLS`;
  if (certFile === undefined || keyFile === undefined) {
    throw new OperatorError(what, "it needs a certificate and its key", "say both flags", 2);
  }
  return judged(what, () => {
    const certificates = certificatesOnly(fileText(certFile, certFlag));
    const keyText = fileText(keyFile, keyFlag);
    const { cert, key } = readKeyStore(`${certificates}\n${keyText}`, null, nowMs);
    return { cert, key };
  });
}

/** What is in a file of authorities. Throws an `OperatorError` (usage), which begins so. */
export function readAuthorities(what: string, path: string, flag: string): string {
  return judged(what, () => readTrustStore(fileText(path, flag)));
}
