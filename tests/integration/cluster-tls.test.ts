/** Three brokers that know one another by certificates alone: no secret, no gossip. Needs etcd. */
import { afterAll, expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import type { TlsOptions } from "../../core/io.ts";
import { brokerHeartbeat } from "../../core/protocol/63-broker-heartbeat.ts";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { TestAuthority, type TestCertificate } from "../harness/certificates.ts";
import { ClusterProcess } from "../harness/cluster-process.ts";
import { RawClient } from "../harness/raw-client.ts";
import { z } from "zod";
import { kstream, ok } from "./cli.ts";

const withEtcd = test.skipIf(!await hasEtcd());

const authority = new TestAuthority();
const strangers = new TestAuthority("strangers");
afterAll(() => [authority, strangers].forEach((each) => each.dispose()));
const alice = authority.sign("alice");

const flagsOf = ({ certFile, keyFile }: TestCertificate, ca = authority) => [
  ...["--tls-cert", certFile, "--tls-key", keyFile, "--tls-ca", ca.caFile],
];

const CLIENTS = z.object({
  clients: z.array(z.object({
    clientId: z.string().nullable(),
    principal: z.string(),
    topics: z.array(z.string()),
  })),
});

const NODES = "super.users=User:CN=node1;User:CN=node2;User:CN=node3";

withEtcd("they survive a kill -9, and nobody else passes for one of them", async () => {
  const certificates = [1, 2, 3].map((id) => authority.sign(`node${id}`));
  const cluster = await ClusterProcess.start({
    brokers: 3,
    etcd: ETCD,
    hasSecret: false,
    args: ["--set", NODES, "--set", "min.insync.replicas=2"],
    argsOf: (nodeId) => flagsOf(certificates[nodeId - 1] ?? alice),
  });
  try {
    const as = { brokers: cluster.bootstrap, timeoutMs: 60_000 };
    await ok(["topic", "create", "orders", "-p", "3", "-r", "3", ...flagsOf(alice)], as);
    await ok(["produce", "orders", ...flagsOf(alice)], { ...as, input: "one\ntwo\n" });
    await nobodyElse(cluster);
    await byAdmin(cluster);
    await cluster.stopBroker(1, "SIGKILL");
    await ok(["produce", "orders", ...flagsOf(alice)], { ...as, input: "three\n" });
    await cluster.startBroker(1);
    await cluster.stopBroker(2, "SIGKILL");
    await ok(["produce", "orders", ...flagsOf(alice)], { ...as, input: "four\n" });
    const read = await ok(["consume", "orders", "-e", ...flagsOf(alice)], as);
    expect(read.trim().split("\n").sort()).toEqual(["four", "one", "three", "two"]);
  } finally {
    await cluster.close();
  }
}, 180_000);

/** What clients cannot do, and nodes whose certificates are not of this cluster. */
async function nobodyElse(cluster: ClusterProcess): Promise<void> {
  const heartbeat = async (tls: TlsOptions) => {
    const client = await RawClient.connect(cluster.broker(1).port, "127.0.0.1", {
      ...tls,
      ca: authority.ca,
    });
    const request = { brokerId: 2, brokerEpoch: 0n, currentMetadataOffset: 0n };
    const { errorCode } = await client.request(brokerHeartbeat, 0, { ...request });
    client.close();
    return errorCode;
  };
  expect(await heartbeat(alice)).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
  expect(await heartbeat(authority.sign("node2"))).not.toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);

  const serve = async (...flags: string[]) => {
    const { exitCode, stderr } = await kstream([
      ...["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--node-id", "7"],
      ...["--data", `${authority.dir}/node7`, "--cluster", "test"],
      ...["--metadata", cluster.metadata, ...flags],
    ], { timeoutMs: 60_000 });
    return `${exitCode} ${stderr.trimEnd().split("\n").at(-1)}`;
  };
  const foreign = strangers.sign("node2");
  expect(await serve("--set", NODES, ...flagsOf(foreign, strangers)))
    .toMatch(/^1 kstream: broker 7 cannot join the cluster: .*no TLS with/);
  expect(await serve("--set", NODES, ...flagsOf(alice))).toMatch(
    /^2 kstream: the other nodes would not take this one for a node: .*User:CN=alice/,
  );
  expect(await serve("--set", "super.users=User:CN=alice", ...flagsOf(alice))).toMatch(
    /^1 kstream: broker 7 cannot join the cluster: /,
  );
}

/** What one broker's admin API asks of the others it asks as its user, who is nobody in particular here. */
async function byAdmin(cluster: ClusterProcess): Promise<void> {
  const as = { brokers: cluster.bootstrap, timeoutMs: 60_000 };
  await ok(["topic", "create", "by-http", "-p", "3", "-r", "3", ...flagsOf(alice)], as);
  const [first, ...others] = cluster.nodeIds.map((id) => cluster.broker(id).admin);
  const path = `${first}/v1/topics/by-http/records`;
  const body = [0, 1, 2].map((partition) => JSON.stringify({ value: "x", partition })).join("\n");
  const headers = { "content-type": "application/x-ndjson" };
  expect((await fetch(path, { method: "POST", headers, body })).status).toBe(200);
  expect((await (await fetch(path)).text()).match(/"value":"x"/g)).toHaveLength(3);
  for (const admin of others) {
    const { clients } = CLIENTS.parse(await (await fetch(`${admin}/v1/clients`)).json());
    const seen = clients.filter(({ clientId }) => clientId === "kstream-admin");
    expect(seen.flatMap(({ topics }) => topics)).toContain("by-http");
    expect(new Set(seen.map(({ principal }) => principal))).toEqual(new Set(["User:ANONYMOUS"]));
  }
}
