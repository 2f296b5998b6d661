/** An admin server that asks who comes: over TLS, users by their SCRAM credentials. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { pbkdf2Sync } from "node:crypto";
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
  running = await startBroker({ io, logger: silentLogger, dataDir: "/data" });
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

async function ask(path: string, login: string | null, headers: Record<string, string> = {}) {
  const authorization = login === null ? null : `Basic ${Buffer.from(login).toString("base64")}`;
  return await fetch(`https://127.0.0.1:${server.address.port}${path}`, {
    headers: { ...headers, ...(authorization !== null && { authorization }) },
    tls: { ca: authority.ca },
  });
}

test("it is asked by users of the cluster alone, and by probes", async () => {
  await setPassword("alice", SHA_256, "a secret: ü");
  await setPassword("bob", SHA_512, "another");
  expect((await ask("/live", null)).status).toBe(200);
  expect((await ask("/ready", null)).status).toBe(200);
  const nobody = await ask("/v1/clients", null);
  expect([nobody.status, nobody.headers.get("www-authenticate")])
    .toEqual([401, 'Basic realm="kstream", charset="UTF-8"']);
  for (const login of ["alice:a secret: ü", "alice:a secret: ü", "bob:another"]) {
    expect((await ask("/v1/clients", login)).status).toBe(200);
  }
  for (const login of ["alice:another", "alice:", "carol:a secret: ü", ":", "x".repeat(3000)]) {
    const refused = await ask("/v1/clients", login);
    expect([login, refused.status, await refused.json()]).toMatchObject([
      ...[login, 401],
      { title: "who are you" },
    ]);
  }
});

test("a password that was changed lets nobody in any more, though it was known a moment ago", async () => {
  await setPassword("dora", SHA_256, "first");
  expect((await ask("/v1/clients", "dora:first")).status).toBe(200);
  await setPassword("dora", SHA_256, "second");
  expect((await ask("/v1/clients", "dora:first")).status).toBe(401);
  expect((await ask("/v1/clients", "dora:second")).status).toBe(200);
});

test("who guesses many passwords at once is told to wait", async () => {
  const guesses = await Promise.all(
    Array.from({ length: 20 }, (_, nth) => ask("/v1/clients", `alice:guess ${nth}`)),
  );
  expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([401, 429]));
  const waits = guesses.filter(({ status }) => status === 429);
  expect(waits.every(({ headers }) => headers.get("retry-after") === "1")).toBe(true);
});

test("pages of others may not use what a browser knows", async () => {
  const of = (origin: string) => ask("/v1/clients", "bob:another", { origin });
  expect((await of("https://evil.example")).status).toBe(403);
  expect((await of(`https://127.0.0.1:${server.address.port}`)).status).toBe(200);
});
