/** An admin server that asks who comes: over TLS, users by their SCRAM credentials. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { pbkdf2Sync } from "node:crypto";
import { BrokerConfig } from "../broker/config/broker-config.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { bunServeHttp } from "../core/io/bun/http.ts";
import { bunIo } from "../core/io/bun/index.ts";
import type { HttpListener } from "../core/io/http.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { alterUserScramCredentials } from "../core/protocol/51-alter-user-scram-credentials.ts";
import { TestAuthority } from "../tests/harness/certificates.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { startAdminServer } from "./server.ts";

const [SHA_256, SHA_512] = [1, 2];
const authority = new TestAuthority();
const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
let running: RunningBroker;
let server: HttpListener;

beforeAll(async () => {
  const config = BrokerConfig.of({
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS;User:root",
  });
  running = await startBroker({ io, logger: silentLogger, dataDir: "/data", config });
  const { cert, key } = authority.sign("admin");
  server = startAdminServer({
    serveHttp: bunServeHttp,
    at: { host: "127.0.0.1", port: 0 },
    tls: { cert, key },
    authenticates: true,
    running: () => running,
  });
});
afterAll(async () => {
  await server.close();
  await running.stop();
  authority.dispose();
});

async function setPassword(name: string, mechanism: number, password: string): Promise<void> {
  const client = await RawClient.connect(running.port);
  const [hash, bytes] = mechanism === SHA_256 ? ["sha256", 32] as const : ["sha512", 64] as const;
  const salt = new TextEncoder().encode(`salt of ${name}`);
  const { results } = await client.request(alterUserScramCredentials, 0, {
    deletions: [],
    upsertions: [{
      ...{ name, mechanism, iterations: 4096, salt },
      saltedPassword: pbkdf2Sync(password, salt, 4096, bytes, hash),
    }],
  });
  expect(results.map(({ errorCode }) => errorCode)).toEqual([0]);
  client.close();
}

async function ask(
  path: string,
  login: string | null,
  headers: Record<string, string> = {},
  method = "GET",
) {
  const authorization = login === null ? null : `Basic ${Buffer.from(login).toString("base64")}`;
  return await fetch(`https://127.0.0.1:${server.address.port}${path}`, {
    method,
    headers: { ...headers, ...(authorization !== null && { authorization }) },
    tls: { ca: authority.ca },
  });
}

test("it is asked by users of the cluster alone, and by probes", async () => {
  await setPassword("alice", SHA_256, "a secret: ü");
  await setPassword("bob", SHA_512, "another");
  expect((await ask("/live", null)).status).toBe(200);
  expect((await ask("/ready", null)).status).toBe(200);
  const nobody = await ask("/v1/topics", null);
  expect([nobody.status, nobody.headers.get("www-authenticate")])
    .toEqual([401, 'Basic realm="kstream", charset="UTF-8"']);
  for (const login of ["alice:a secret: ü", "alice:a secret: ü", "bob:another"]) {
    expect((await ask("/v1/topics", login)).status).toBe(200);
  }
  for (const login of ["alice:another", "alice:", "carol:a secret: ü", ":", "x".repeat(3000)]) {
    const refused = await ask("/v1/topics", login);
    expect([login, refused.status, await refused.json()]).toMatchObject([
      ...[login, 401],
      { title: "who are you" },
    ]);
  }
});

test("a password that was changed lets nobody in any more, though it was known a moment ago", async () => {
  await setPassword("dora", SHA_256, "first");
  expect((await ask("/v1/topics", "dora:first")).status).toBe(200);
  await setPassword("dora", SHA_256, "second");
  expect((await ask("/v1/topics", "dora:first")).status).toBe(401);
  expect((await ask("/v1/topics", "dora:second")).status).toBe(200);
});

test("who guesses many passwords at once is told to wait", async () => {
  const guesses = await Promise.all(
    Array.from({ length: 20 }, (_, nth) => ask("/v1/topics", `alice:guess ${nth}`)),
  );
  expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([401, 429]));
  const waits = guesses.filter(({ status }) => status === 429);
  expect(waits.every(({ headers }) => headers.get("retry-after") === "1")).toBe(true);
});

test("pages of others may not use what a browser knows", async () => {
  const of = (origin: string) => ask("/v1/topics", "bob:another", { origin });
  expect((await of("https://evil.example")).status).toBe(403);
  expect((await of(`https://127.0.0.1:${server.address.port}`)).status).toBe(200);
});

test("users may do what the cluster allows them, also where no API of Kafka's is asked", async () => {
  await setPassword("root", SHA_256, "root's");
  await setPassword("eve", SHA_256, "eve's");
  const json = { "content-type": "application/json" };
  const routes = [
    ...[
      "/v1/clients",
      "/metrics",
      "/metrics/detail",
      "/health",
      "/v1/trash",
      "/v1/%63lients",
      "/v1/connect",
      "/v1/connect/connectors",
      "/v1/%63onnect/connectors",
    ]
      .map((path) => ["GET", path] as const),
    ...[
      ["POST", "/v1/topics/none/purge"],
      ["DELETE", "/v1/trash"],
      [
        "DELETE",
        "/v1/dev/faults",
      ],
      ["POST", "/v1/connect/connectors"],
      ["PUT", "/v1/connect/connectors/a/config"],
    ] as const,
    ["GET", "/v1/topics/none/keys/k"] as const,
  ];
  for (const [method, path] of routes) {
    const refused = await ask(path, "eve:eve's", json, method);
    expect([path, refused.status, (await refused.json()).title])
      .toEqual([path, 403, "not authorized"]);
    const { title } = await (await ask(path, "root:root's", json, method)).json()
      .catch(() => ({ title: "" }));
    expect([path, title]).not.toEqual([path, "not authorized"]);
  }
});
