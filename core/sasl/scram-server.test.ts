import { expect, test } from "bun:test";
import { SaslError } from "./options.ts";
import { ScramServer, scramUser } from "./scram-server.ts";
import { scramExchange } from "./scram.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);
const SALT = new Uint8Array(Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"));
const USER = scramUser("user", ["pencil"], SALT);

function answer(server: ScramServer, message: Uint8Array): Uint8Array | null {
  const step = server.step(message);
  return step.kind === "refused" ? null : step.message;
}

/** Whether a client with this password is let in and believes the server. */
function letsIn(user: typeof USER, name: string, password: string): boolean {
  const client = scramExchange("sha256", { username: name, password }, "client-nonce");
  const server = new ScramServer(user, "server-nonce");
  const first = answer(server, client.first());
  if (first === null) return false;
  const last = server.step(client.next(first)!);
  if (last.kind === "refused") return false;
  expect(last.isDone).toBe(true);
  expect(client.next(last.message)).toBeNull();
  return client.complete;
}

test("the server says what RFC 7677 says", () => {
  const server = new ScramServer(USER, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  const first = answer(server, bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
  const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  expect(text(first!)).toBe(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
  const last = answer(
    server,
    bytes(`c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`),
  );
  expect(text(last!)).toBe("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
});

test("lets in who knows one of the passwords, and no other user", () => {
  const user = scramUser("a=b,c", ["new", "old"], SALT);
  expect(letsIn(user, "a=b,c", "new")).toBe(true);
  expect(letsIn(user, "a=b,c", "old")).toBe(true);
  expect(letsIn(user, "a=b,c", "older")).toBe(false);
  expect(letsIn(user, "a=b", "new")).toBe(false);
  expect(letsIn(scramUser("a", [], SALT), "a", "")).toBe(false);
});

test("a client that breaks the rules is refused, once and for all", () => {
  for (
    const first of [
      "",
      "p=tls-unique,,n=user,r=x",
      "y,,n=user,r=x",
      "n,,n=user",
      "n,,n=user,r=",
      "n,,r=x,n=user",
      "n,,m=ext,n=user,r=x",
      `n,,n=user,r=${"x".repeat(4000)}`,
    ]
  ) {
    const server = new ScramServer(USER, "s");
    expect([first, answer(server, bytes(first))]).toEqual([first, null]);
    expect(answer(server, bytes("n,,n=user,r=x"))).toBeNull();
  }
  const client = () => scramExchange("sha256", { username: "user", password: "pencil" }, "n");
  const change: ((last: string) => string)[] = [
    () => "",
    (last) => last.replace("r=ns", "r=nt"),
    (last) => last.replace("biws", "eSws"),
    (last) => last.replace(/p=./, "p=/"),
    (last) => last.replace(/p=.*/, "p="),
    (last) => last.replace(/p=.*/, "p=AAAA"),
  ];
  for (const spoil of change) {
    const server = new ScramServer(USER, "s");
    const good = client();
    const last = good.next(answer(server, good.first())!)!;
    const spoilt = spoil(text(last));
    if (spoilt === text(last)) continue;
    expect([spoilt, answer(server, bytes(spoilt))]).toEqual([spoilt, null]);
    // Not even the right message counts after that, nor does a used one.
    expect(answer(server, last)).toBeNull();
  }
});

test("a server that does not have the password cannot make the client believe it", () => {
  const good = scramExchange("sha256", { username: "user", password: "pencil" }, "n");
  const impostor = new ScramServer(scramUser("user", ["guess"], SALT), "s");
  const last = good.next(answer(impostor, good.first())!);
  expect(answer(impostor, last!)).toBeNull();
  expect(() => good.next(bytes("v=AAAA"))).toThrow(SaslError);
});
