/** What is found in PEM, and what is refused with which words. */
import { afterAll, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { TestAuthority } from "../../tests/harness/certificates.ts";
import { CertificateProblem, readKeyStore, readTrustStore } from "./certificates.ts";

const authority = new TestAuthority();
const [own, other] = [authority.sign("own"), authority.sign("other")];
afterAll(() => authority.dispose());

const read = (text: string, password: string | null = null, nowMs = Date.now()) =>
  readKeyStore(text, password, nowMs);

function refusal(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    if (!(error instanceof CertificateProblem)) throw error;
    return `${error.why}: ${error.whatToDo}`;
  }
}

test("key, certificate and chain are found in any order, also in one line", () => {
  const store = read(`${own.key}\n# words\n${own.cert}${authority.ca}`);
  expect(store.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(read(own.cert + own.key).key).toBe(store.key);
  const oneLine = (own.cert + own.key).replaceAll("\n", " ").replace(/BEGIN (\w+) /g, "BEGIN $1 ");
  expect(read(oneLine).cert).toBe(own.cert);
  expect(store.endsMs).toBeGreaterThan(Date.now() + 24 * 3_600_000);
});

test("an encrypted key wants its password", () => {
  const encrypted = createPrivateKey(own.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "secret",
  });
  const text = `${own.cert}${encrypted}`;
  expect(read(text, "secret").key).toBe(read(own.cert + own.key).key);
  expect(refusal(() => read(text))).toContain("the key is encrypted");
  expect(refusal(() => read(text, "wrong"))).toContain("the key cannot be decrypted");
});

test("what cannot be used is refused in words", () => {
  expect(refusal(() => read(own.cert + other.key))).toContain("the key is not the certificate's");
  expect(refusal(() => read(own.key))).toContain("there is no certificate in it");
  expect(refusal(() => read(own.cert))).toContain("there is no key in it");
  expect(refusal(() => read("\xfe\xed\xfe\xed"))).toMatch(/no PEM.*keytool/);
  expect(refusal(() => readTrustStore(""))).toContain("no PEM");
  expect(refusal(() => readTrustStore(own.key))).toContain("there is no certificate in it");
  const broken = own.cert.replace(/\n..../, "\nAAAA");
  expect(refusal(() => readTrustStore(authority.ca + broken))).toContain("certificate 2 in it");
  const brokenKey = own.key.replace(/\n..../, "\nAAAA");
  expect(refusal(() => read(own.cert + brokenKey))).toContain("the key cannot be read");
  const [year, text] = [365 * 24 * 3_600_000, own.cert + own.key];
  expect(refusal(() => read(text, null, Date.now() + year))).toContain("has expired");
  expect(refusal(() => read(text, null, Date.now() - year))).toContain("is not valid before");
});
