/** What connectors of servers that speak TLS are told of certificates. */
import { readFileSync } from "node:fs";
import { FieldError, string } from "../index.ts";
import type { ConfigOf } from "../index.ts";

export const tlsFields = {
  "tls.ca.file": string().optional().group("TLS").doc(
    "A PEM file of the authorities that the other side's certificate may be signed by; default: those " +
      "that everybody trusts.",
  ),
  "tls.certificate.file": string().optional().group("TLS").doc(
    "A PEM file with the certificate that is shown to the other side.",
  ),
  "tls.key.file": string().optional().group("TLS").doc(
    "A PEM file with the key of tls.certificate.file.",
  ),
};

/** For `tls.connect` and `tls.createServer`. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The text of a file that a field names. Throws `FieldError` where it cannot be read. */
export function textOfFile(field: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new FieldError(
      `"${field}" cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Reads the files. Throws where one cannot be read, with the name of the field. */
export function tlsFiles(config: ConfigOf<typeof tlsFields>): TlsFiles {
  const read = (field: keyof typeof tlsFields) => {
    const path = config[field];
    return path === null ? null : textOfFile(field, path);
  };
  const [ca, cert, key] = [
    read("tls.ca.file"),
    read("tls.certificate.file"),
    read("tls.key.file"),
  ];
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  };
}

/** A certificate is of no use without its key, nor a key without its certificate. */
export function tlsProblems(config: ConfigOf<typeof tlsFields>) {
  const isHalf = (config["tls.certificate.file"] === null) !== (config["tls.key.file"] === null);
  const message = '"tls.certificate.file" and "tls.key.file" go together';
  return isHalf ? [{ field: "tls.key.file", message }] : [];
}
