/** `kstream serve` with TLS: round trips, who is let in, what is refused before anything is bound. */
import { afterAll, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withBroker } from "../harness/broker-process.ts";
import { TestAuthority, type TestCertificate } from "../harness/certificates.ts";
import { run } from "../harness/process.ts";
import { fails, kstream, ok } from "./cli.ts";

const authority = new TestAuthority();
const strangers = new TestAuthority("strangers");
afterAll(() => [authority, strangers].forEach((each) => each.dispose()));
const [server, alice] = [authority.sign("server"), authority.sign("alice")];

const SHOWING = ["--tls-cert", server.certFile, "--tls-key", server.keyFile];
const TRUSTING = ["--tls-ca", authority.caFile];
const as = ({ certFile, keyFile }: TestCertificate) => [
  ...TRUSTING,
  ...["--tls-cert", certFile, "--tls-key", keyFile],
];

test("records go both ways through TLS, for whom the flags let in", async () => {
  await withBroker(async ({ bootstrap: brokers, outputHas }) => {
    await ok(["produce", "t", ...as(alice)], { brokers, input: "one\ntwo\n" });
    expect(await ok(["consume", "t", "-e", ...as(alice)], { brokers })).toBe("one\ntwo\n");
    const list = (...flags: string[]) => ["topic", "list", "--timeout", "5s", ...flags];
    await fails(list(...TRUSTING), 1, ["give --tls-cert and --tls-key"], { brokers });
    await outputHas(/no TLS with a client.*it has shown no certificate/);
    await fails(list(), 1, ["it answers in TLS: give --tls"], { brokers });
    await outputHas(/no TLS with a client.*it speaks no TLS.*--tls/);
    await fails(list("--tls-ca", strangers.caFile), 1, ["signed by nobody who is trusted"], {
      brokers,
    });
    const strict = ["-CAfile", strangers.caFile, "-verify_return_error"];
    await run(["openssl", "s_client", "-connect", brokers, ...strict], { timeoutMs: 20_000 });
    await outputHas(
      /no TLS with a client.*broke off, as who does not trust this broker's certificate/,
    );
    const stranger = await kstream(list(...as(strangers.sign("mallory"))), { brokers });
    expect(stranger.exitCode).not.toBe(0);
    await outputHas(/no TLS with a client.*signed by nobody who is trusted here/);
  }, { args: [...SHOWING, "--tls-ca", authority.caFile] });
});

test("Kafka's configs do the same, for each listener on its own", async () => {
  const store = join(authority.dir, "store.pem");
  writeFileSync(store, server.key + server.cert);
  const config = join(authority.dir, "server.properties");
  const inline = (text: string) => text.trim().replaceAll("\n", "\\n");
  writeFileSync(
    config,
    [
      "listeners=PLAINTEXT://127.0.0.1:0,OPEN://127.0.0.1:0,CLOSED://127.0.0.1:0",
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OPEN:SSL,CLOSED:SSL",
      `ssl.keystore.location=${store}`,
      "ssl.keystore.type=PEM",
      "listener.name.closed.ssl.client.auth=required",
      `listener.name.closed.ssl.keystore.certificate.chain=${inline(server.cert)}`,
      `listener.name.closed.ssl.keystore.key=${inline(server.key)}`,
      `listener.name.closed.ssl.truststore.certificates=${inline(authority.ca)}`,
      "listener.name.closed.ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/",
      "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users=User:alice",
      "",
    ].join("\n"),
  );
  await withBroker(async ({ addresses: [, open = "", closed = ""] }) => {
    const create = ["topic", "create", "t"];
    const asAlice = { brokers: closed };
    await ok([...create, ...as(alice)], asAlice);
    await fails([...create, ...TRUSTING], 1, ["give --tls-cert"], asAlice);
    expect(await ok(["topic", "list", ...TRUSTING], { brokers: open })).not.toContain("t ");
  }, { args: ["--config", config], listen: [] });
}, 60_000);

test("certificates are read again when their files change", async () => {
  const own = join(authority.dir, "renewed.pem");
  const key = join(authority.dir, "renewed.key");
  copyFileSync(server.certFile, own);
  copyFileSync(server.keyFile, key);
  await withBroker(async ({ bootstrap: brokers, outputHas }) => {
    await ok(["topic", "list", ...TRUSTING], { brokers });
    const next = strangers.sign("server");
    copyFileSync(next.keyFile, key);
    copyFileSync(next.certFile, own);
    await outputHas(/a listener has new certificates listener=SSL/, 40_000);
    await ok(["topic", "list", "--tls-ca", strangers.caFile], { brokers });
  }, { args: ["--tls-cert", own, "--tls-key", key] });
}, 60_000);

test("what cannot be served is refused in one line", async () => {
  const serve = (...flags: string[]) => ["serve", "--listen", "127.0.0.1:0", ...flags];
  const none = join(authority.dir, "none.pem");
  const jks = join(authority.dir, "store.jks");
  writeFileSync(jks, "\u00fe\u00ed");
  const store = (path: string) => ["--set", `ssl.keystore.location=${path}`];
  const ssl = ["serve", "--listen", "SSL=127.0.0.1:0"];
  const other = authority.sign("other");
  const expired = authority.sign("expired", { days: -1 });
  const cases: [readonly string[], readonly string[]][] = [
    [ssl, ["the listener SSL cannot speak TLS: it has no certificate", "--tls-cert FILE"]],
    [serve("--tls-cert", server.certFile), ["--tls-cert and --tls-key belong together"]],
    [serve("--tls-cert", none, "--tls-key", server.keyFile), ["cannot read", "none.pem"]],
    [serve("--tls-cert", server.certFile, "--tls-key", other.keyFile), ["not the certificate's"]],
    [serve("--tls-cert", expired.certFile, "--tls-key", expired.keyFile), ["has expired"]],
    [serve("--tls-ca", authority.caFile), ["no listener speaks TLS"]],
    [serve(...SHOWING, "--tls-ca", server.keyFile), ["there is no certificate in it"]],
    [serve(...SHOWING, "--set", "ssl.client.auth=required"), ["nobody is trusted", "--tls-ca"]],
    [serve(...SHOWING, "--set", "ssl.client.auth=yes"), ["ssl.client.auth"]],
    [[...ssl, ...store(jks)], ["it is no PEM", "keytool -importkeystore"]],
    [[...ssl, ...store(jks), "--set", "ssl.keystore.type=JKS"], ["JKS is not read", "keytool"]],
    [[...ssl, ...store(server.certFile)], ["there is no key in it"]],
    [serve(...SHOWING, "--set", "ssl.principal.mapping.rules=RULE:("), ["there is no rule at"]],
    [["serve", "--listen", "0.0.0.0:0", ...SHOWING], ["refusing to listen on 0.0.0.0", "--tls-ca"]],
    [["serve", "--listen", "PLAINTEXT=127.0.0.1:0", ...SHOWING], ["no listener speaks TLS"]],
    [serve("--shards", "2", ...SHOWING), ["shards cannot meet on the listener SSL", "INSIDE="]],
  ];
  for (const [args, words] of cases) await fails(args, 2, words);
});
