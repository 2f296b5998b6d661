/** The certificate of the admin API. */
import { readKeyStore } from "../../broker/tls/certificates.ts";
import type { HttpTls } from "../../core/io/http.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { AdminFlags } from "./admin-security.ts";
import { certificatesOnly, fileText, judged } from "./tls.ts";

/** Reads its certificate; null: it speaks plain HTTP. Throws an `OperatorError` (usage). */
export function adminTls({ adminCert, adminKey }: AdminFlags, nowMs: number): HttpTls | null {
  if (adminCert === undefined && adminKey === undefined) return null;
  const what = "the admin API cannot speak TLS";
  if (adminCert === undefined || adminKey === undefined) {
    throw new OperatorError(what, "it needs a certificate and its key", "say both flags", 2);
  }
  return judged(what, () => {
    const certificates = certificatesOnly(fileText(adminCert, "--admin-cert"));
    const key = fileText(adminKey, "--admin-key");
    const { cert, key: plainKey } = readKeyStore(`${certificates}\n${key}`, null, nowMs);
    return { cert, key: plainKey };
  });
}
