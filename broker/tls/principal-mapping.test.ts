/** Rules of names; those of the first test are Kafka's own examples (KIP-371, `SslPrincipalMapperTest`). */
import { expect, test } from "bun:test";
import { parsePrincipalMapping } from "./principal-mapping.ts";

function mapped(rules: string, subject: string): string | null {
  const parsed = parsePrincipalMapping(rules);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.map(subject);
}

test("the first rule that fits gives the name", () => {
  const rules = String.raw`RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, ` +
    String.raw`RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, ` +
    String.raw`RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U,DEFAULT`;
  expect(mapped(rules, "CN=Duke,OU=ServiceUsers,O=Org,C=US")).toBe("duke");
  expect(mapped(rules, "CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US")).toBe("duke@sme");
  expect(mapped(rules, "cn=duke,ou=SME,o=mycp,l=Fulton,st=MD,c=US")).toBe("DUKE");
  expect(mapped(rules, "OU=JavaSoft,O=Sun Microsystems")).toBe("OU=JavaSoft,O=Sun Microsystems");
});

test("without DEFAULT a subject may have no name, and no rule at all is DEFAULT", () => {
  expect(mapped("RULE:^CN=(.*?),.*$/$1/", "O=x")).toBeNull();
  expect(mapped("RULE:CN=b/x/", "CN=bb")).toBeNull();
  expect(mapped("", "CN=x")).toBe("CN=x");
  expect(mapped("DEFAULT", "CN=x")).toBe("CN=x");
});

test("slashes are escaped, and a group that there is not is text", () => {
  expect(mapped(String.raw`RULE:^CN=(.*)\/(.*)$/$2\/$1$3/`, "CN=a/b")).toBe("b/a$3");
  expect(mapped("RULE:CN=a/x/\nRULE:CN=b/y/", "CN=b")).toBe("y");
});

test("what is no rule is refused, an expression that would take for ever is not", () => {
  for (const rules of ["RULE", "RULE:a", "RULE:a/b", "default", "RULE:a/b/X", "DEFAULT;DEFAULT"]) {
    expect(parsePrincipalMapping(rules)).toMatchObject({ ok: false });
  }
  expect(parsePrincipalMapping("RULE:(/x/")).toMatchObject({ ok: false });
  expect(mapped("RULE:(a+)+b/x/", "a".repeat(5000))).toBeNull();
});
