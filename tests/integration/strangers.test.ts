/** What answers at the address is no broker, or one that speaks otherwise: each command says which. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { freshDir, withBroker } from "../harness/broker-process.ts";
import { fails } from "./cli.ts";

/** Commands of every kind: of the producer, the consumer, groups, and those that administer. */
const COMMANDS: readonly (readonly string[])[] = [
  ["produce", "t"],
  ["consume", "t", "-e"],
  ["consume", "t", "-g", "g"],
  ["topic", "list"],
  ["group", "describe", "g"],
];

const servers: Server[] = [];
let tls: { cert: string; key: string };

beforeAll(() => {
  const dir = freshDir("strangers");
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost"],
    ...["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")],
  ]);
  expect(made.exitCode).toBe(0);
  const read = (name: string) => readFileSync(join(dir, name), "utf8");
  tls = { cert: read("cert.pem"), key: read("key.pem") };
});

afterAll(() => servers.forEach((server) => server.close()));

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that answers whatever comes with these bytes, and hangs up or not. */
function answering(answer: Uint8Array | string, end = true): Promise<number> {
  return portOf(createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => end ? socket.end(answer) : void socket.write(answer));
  }));
}

/** All commands fail alike, in one line, in time. */
async function allFail(
  port: number,
  exitCode: number,
  words: readonly string[],
  flags: readonly string[] = [],
): Promise<void> {
  const brokers = `127.0.0.1:${port}`;
  await Promise.all(
    COMMANDS.map((command) =>
      fails([...command, "--timeout", "2", ...flags], exitCode, [brokers, ...words], {
        ...{ brokers, input: "x\n", timeoutMs: 15_000 },
      })
    ),
  );
}

test("a web server", async () => {
  const body = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  await allFail(await answering(body), 1, ["cannot talk to the broker", "check --brokers"]);
}, 60_000);

test("a server that greets, like SSH or SMTP", async () => {
  const port = await portOf(createServer((socket) => {
    socket.on("error", () => {});
    socket.write("SSH-2.0-OpenSSH_9.6\r\n");
  }));
  await allFail(port, 1, ["cannot talk to the broker", "check --brokers"]);
}, 60_000);

test("bytes that claim to be a huge answer, and ones that are cut", async () => {
  await allFail(await answering(new Uint8Array([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]), false), 1, [
    "cannot talk to the broker",
  ]);
  await allFail(await answering(new Uint8Array([0, 0])), 3, ["no broker answers"]);
}, 60_000);

test("a server that takes the connection and says nothing", async () => {
  await allFail(await portOf(createServer(() => {})), 3, ["no broker answers"]);
}, 60_000);

test("a listener of TLS that is spoken to in plain", async () => {
  const server = createTlsServer(tls, (socket) => void socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  await allFail(await portOf(server), 1, ["answers in TLS", "give --tls"]);
}, 60_000);

test("a plain broker that is spoken to in TLS, and a certificate that nobody signed", async () => {
  await withBroker(async ({ port }) => {
    await allFail(port, 3, ["leave out --tls"], ["--tls"]);
  }, { args: ["--memory"] });
  const server = createTlsServer(tls, (socket) => void socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  await allFail(await portOf(server), 1, ["no trust in the broker", "--tls-ca"], ["--tls"]);
}, 60_000);
