/** A certificate authority for tests, made by openssl: keys and certificates as files in a directory. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key: paths, and what is in them. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is to be like. */
export interface CertificateOptions {
  /** For `-subj`. Default: `/CN=` and the name. */
  readonly subject?: string;
  /** Default: those of this host. */
  readonly names?: string;
  /** Negative: it has expired. Default: 30. */
  readonly days?: number;
}

const NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1";

/** Signs certificates; `dispose` removes the directory. */
export class TestAuthority {
  readonly dir = mkdtempSync(join(tmpdir(), "kstream-ca-"));
  readonly caFile = join(this.dir, "ca.pem");
  readonly ca: string;

  constructor(name = "test authority") {
    this.#openssl([
      ...["req", "-x509", ...NEW_KEY, "-days", "30", "-subj", `/CN=${name}`],
      ...["-keyout", "ca.key", "-out", "ca.pem"],
    ]);
    this.ca = readFileSync(this.caFile, "utf8");
  }

  /** A new key with a certificate, under this name in the directory. */
  sign(name: string, options: CertificateOptions = {}): TestCertificate {
    const { subject = `/CN=${name}`, names = NAMES, days = 30 } = options;
    const [certFile, keyFile] = [`${name}.pem`, `${name}.key`];
    writeFileSync(join(this.dir, "names"), `subjectAltName=${names}\n`);
    const request = [...NEW_KEY, "-utf8", "-subj", subject, "-keyout", keyFile];
    this.#openssl(["req", ...request, "-out", "request"]);
    this.#openssl([
      ...["x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", String(days), "-extfile", "names", "-out", certFile],
    ]);
    const path = (file: string) => join(this.dir, file);
    return {
      certFile: path(certFile),
      keyFile: path(keyFile),
      cert: readFileSync(path(certFile), "utf8"),
      key: readFileSync(path(keyFile), "utf8"),
    };
  }

  dispose(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #openssl(args: readonly string[]): void {
    const made = Bun.spawnSync(["openssl", ...args], { cwd: this.dir, stderr: "pipe" });
    if (made.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${made.stderr.toString()}`);
  }
}

/** Quick to make, unlike RSA's. */
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
