/** Names of certificates, as Java prints them: the expected texts are those of `X500Principal.getName`. */
import { afterAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { TestAuthority } from "../tests/harness/certificates.ts";
import { subjectOf } from "./x500-name.ts";

const authority = new TestAuthority();
afterAll(() => authority.dispose());

const derOf = (subject: string) =>
  new Uint8Array(new X509Certificate(authority.sign("any", { subject }).cert).raw);

test("subjects are written as Java writes them", () => {
  const names: [string, string][] = [
    ["/CN=client", "CN=client"],
    [
      `/C=DE/ST=Bavaria/L=München/street=A 1/O=A, B "x"+OU=u#1/CN=client/emailAddress=a@b.c/UID=me` +
      "/DC=x/serialNumber=5/title=T",
      "2.5.4.12=#0c0154,2.5.4.5=#130135,DC=x,UID=me,1.2.840.113549.1.9.1=#16056140622e63,CN=client," +
      `OU=u\\#1+O=A\\, B \\"x\\",STREET=A 1,L=München,ST=Bavaria,C=DE`,
    ],
    ["/CN=#hash/O=é\\,y", "O=é\\,y,CN=\\#hash"],
    ["/O= a /CN=x", "CN=x,O=\\ a\\ "],
  ];
  for (const [subject, text] of names) expect(subjectOf(derOf(subject))).toBe(text);
});

test("bytes that are no certificate have no subject, wherever they are cut", () => {
  const der = derOf("/CN=client");
  for (let length = 0; length < der.length; length++) {
    expect(subjectOf(der.subarray(0, length))).toBeNull();
  }
  for (let at = 0; at < der.length; at++) {
    const damaged = der.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    subjectOf(damaged);
  }
});
