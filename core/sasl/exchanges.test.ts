import { expect, test } from "bun:test";
import { oauthBearerExchange } from "./oauthbearer.ts";
import { plainExchange } from "./plain.ts";
import { scramExchange } from "./scram.ts";
import { SaslError } from "./options.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array | null) => message && new TextDecoder().decode(message);

/** The exchange of RFC 7677, section 3. */
const NONCE = "rOprNGfwEbeRWgbNEkqO";
const FULL_NONCE = `${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
const SERVER_FIRST = `r=${FULL_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
const SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
const scram = (password = "pencil") =>
  scramExchange("sha256", { username: "user", password }, NONCE);

test("SCRAM-SHA-256 says what RFC 7677 says", () => {
  const exchange = scram();
  expect(text(exchange.first())).toBe(`n,,n=user,r=${NONCE}`);
  expect(text(exchange.next(bytes(SERVER_FIRST)))).toBe(
    `c=biws,r=${FULL_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
  );
  expect(exchange.complete).toBe(false);
  expect(exchange.next(bytes(SERVER_FINAL))).toBeNull();
  expect(exchange.complete).toBe(true);
});

test("names with the separators of SCRAM are escaped", () => {
  const exchange = scramExchange("sha512", { username: "a=b,c", password: "" }, "n");
  expect(text(exchange.first())).toBe("n,,n=a=3Db=2Cc,r=n");
});

test("a server that does not know the password is not believed", () => {
  const endings = [
    SERVER_FINAL.replace("6", "7"),
    "v=",
    "",
    "e=other-error",
    `v=${btoa("x".repeat(32))}`,
  ];
  for (const end of endings) {
    const exchange = scram();
    exchange.next(bytes(SERVER_FIRST));
    expect(() => exchange.next(bytes(end))).toThrow(SaslError);
    expect(exchange.complete).toBe(false);
  }
});

test("a server that breaks the rules of SCRAM is refused before anything is proved to it", () => {
  const firsts = [
    "",
    "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    SERVER_FIRST.replace("4096", "4095"),
    SERVER_FIRST.replace("4096", "999999999"),
    SERVER_FIRST.replace("4096", "1e9"),
    SERVER_FIRST.replace(/s=[^,]*/, "s="),
    `m=x,${SERVER_FIRST}`,
  ];
  for (const first of firsts) expect(() => scram().next(bytes(first))).toThrow(SaslError);
});

test("PLAIN is user and password in one message", () => {
  const exchange = plainExchange("tim", "tänstaaftl");
  expect(text(exchange.first())).toBe("\0tim\0tänstaaftl");
  expect(exchange.next(bytes(""))).toBeNull();
});

test("OAUTHBEARER sends the token, and ^A when the broker explains its refusal", () => {
  const exchange = oauthBearerExchange("a.b-c==", { logicalCluster: "lkc" });
  expect(text(exchange.first())).toBe("n,,\x01auth=Bearer a.b-c==\x01logicalCluster=lkc\x01\x01");
  expect(exchange.next(bytes(""))).toBeNull();
  expect(text(exchange.next(bytes(`{"status":"invalid_token"}`)))).toBe("\x01");
});

test("a token or an extension that would break out of its field is refused, and not shown", () => {
  for (const token of ["", "a\x01b", "a b", "a\n"]) {
    expect(() => oauthBearerExchange(token)).toThrow(/^that is no bearer token$/);
  }
  for (const [name, value] of [["auth", "x"], ["a1", "x"], ["a", "x\x01y"]] as const) {
    expect(() => oauthBearerExchange("t", { [name]: value })).toThrow(SaslError);
  }
});
