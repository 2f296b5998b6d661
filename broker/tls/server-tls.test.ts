/** Listeners with TLS over real loopback sockets: who clients are, and what becomes of bad handshakes. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { Clock, ListenTlsOptions, TlsOptions } from "../../core/io.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { noDatagrams } from "../../core/io/no-datagrams.test-helper.ts";
import { createLogger } from "../../core/logger.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { TestAuthority } from "../../tests/harness/certificates.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { CLUSTER_PRINCIPAL } from "../cluster/cluster-secret.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { HandClock } from "../hand-clock.test-helper.ts";
import { startBroker } from "../start-broker.ts";
import { byCertificate, type ListenerTls, withNodes } from "./listener-tls.ts";
import { parsePrincipalMapping } from "./principal-mapping.ts";

const authority = new TestAuthority();
const [server, alice] = [authority.sign("server"), authority.sign("alice")];
const ca = authority.ca;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => authority.dispose());

function listenerTls(options: Partial<ListenTlsOptions> = {}, rules = "DEFAULT"): ListenerTls {
  const mapping = parsePrincipalMapping(rules);
  if (!mapping.ok) throw new Error(mapping.why);
  const { cert, key } = server;
  return {
    options: { cert, key, ca, clientAuth: "requested", versions: ["TLSv1.3"], ...options },
    identify: byCertificate(mapping.map),
  };
}

async function start(tls: ListenerTls, clock: Clock = bunClock, set = {}) {
  const lines: string[] = [];
  let onLine = () => {};
  const running = await startBroker({
    io: {
      clock,
      random: bunRandom,
      network: bunNetwork,
      datagrams: noDatagrams,
      offload: inlineOffload(),
      disk: new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1 << 26 }),
    },
    logger: createLogger({
      level: "info",
      format: "text",
      wallMs: () => 0,
      write(line) {
        lines.push(line);
        onLine();
      },
    }),
    config: BrokerConfig.of(set),
    listeners: [{
      ...{ name: "SSL", protocol: "SSL", tls },
      bind: { host: "127.0.0.1", port: 0 },
      advertised: null,
    }],
    dataDir: "unused",
  });
  cleanups.push(() => running.stop());
  /** A connection that has had an answer. */
  const connect = async (tls: TlsOptions = {}) => {
    const client = await RawClient.connect(running.port, "127.0.0.1", { ca, ...tls });
    cleanups.push(() => client.close());
    await client.request(apiVersions, 0, {});
    return client;
  };
  const hasLine = (words: string) =>
    new Promise<void>((resolve) => {
      onLine = () => lines.some((line) => line.includes(words)) ? resolve() : undefined;
      onLine();
    });
  return { ...running, lines, connect, hasLine };
}

/** Who is connected, in the order of the connections. */
const principals = (running: { clients(): { principal: string }[] }) =>
  running.clients().map(({ principal }) => principal);

test("a client is who its certificate says, and nobody without one", async () => {
  const running = await start(listenerTls());
  await running.connect(alice);
  await running.connect();
  expect(principals(running)).toEqual(["User:CN=alice", "User:ANONYMOUS"]);
});

test("rules give names, and who gets none is hung up on", async () => {
  const running = await start(listenerTls({}, "RULE:^CN=(a.*)$/$1/U"));
  await running.connect(alice);
  expect(principals(running)).toEqual(["User:ALICE"]);
  await running.connect(authority.sign("bob")).catch(() => {});
  await running.hasLine("no rule gives its certificate's subject a name");
});

test("nodes are told by their names, and by nothing that looks like them", async () => {
  const tls = withNodes(listenerTls(), new Set(["User:CN=alice"]));
  const der = await start(tls).then(async (running) => {
    await running.connect(alice);
    return running.clients()[0]?.principal;
  });
  expect(der).toBe(`User:${CLUSTER_PRINCIPAL.name}`);
  expect(tls.identify(null)).not.toBe(CLUSTER_PRINCIPAL);
  const fake = authority.sign("fake", { subject: `/CN=${CLUSTER_PRINCIPAL.name}` });
  const other = await start(tls);
  await other.connect(fake);
  expect(principals(other)).toEqual([`User:CN=${CLUSTER_PRINCIPAL.name}`]);
});

test("who does not end the handshake is dropped in time, and counts until then", async () => {
  const clock = new HandClock();
  const running = await start(listenerTls(), clock, { "max.connections": "1" });
  const silent = await RawClient.connect(running.port);
  const late = await RawClient.connect(running.port);
  await late.closed;
  expect(running.clients()).toHaveLength(1);
  clock.advance(9_999);
  expect(running.clients()).toHaveLength(1);
  clock.advance(1);
  await silent.closed;
  await running.hasLine("it did not end its handshake within 10 s");
  expect(running.clients()).toEqual([]);
});

test("plain text is told once in a while, and a look at the port not at all", async () => {
  const clock = new HandClock();
  const running = await start(listenerTls(), clock);
  const speakPlain = async () => {
    const plain = await RawClient.connect(running.port);
    plain.send(apiVersions, 0, {});
    await plain.closed;
  };
  await speakPlain();
  await running.hasLine("it speaks no TLS");
  for (let i = 0; i < 5; i++) await speakPlain();
  (await RawClient.connect(running.port)).close();
  await running.connect(alice);
  const count = () => running.lines.filter((line) => line.includes("no TLS with")).length;
  expect(count()).toBe(1);
  clock.advance(10_000);
  await speakPlain();
  await running.hasLine("failed=6");
  expect(count()).toBe(2);
});

test("another certificate is shown from when it is put in force; who is connected stays", async () => {
  const running = await start(listenerTls());
  const before = await running.connect(alice);
  const other = new TestAuthority("other");
  cleanups.push(() => other.dispose());
  const { cert, key } = other.sign("server");
  await running.renewTls("SSL", listenerTls({ cert, key }));
  await expect(running.connect()).rejects.toThrow();
  await running.connect({ ca: other.ca });
  await before.request(apiVersions, 0, {});
  expect(principals(running)).toEqual(["User:CN=alice", "User:ANONYMOUS"]);
});
