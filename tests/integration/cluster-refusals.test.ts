/**
 * What an operator of a cluster can get wrong, with the built binary and real etcd: each is refused in one
 * line that says what, why and what to do, and harms neither the cluster that runs nor its etcd.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ETCD, hasEtcd } from "../compat/install.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { ClusterProcess, TEST_SECRET } from "../harness/cluster-process.ts";
import { EtcdServers } from "../harness/etcd-process.ts";
import { freePort } from "../harness/free-ports.ts";
import { run, runOk } from "../harness/process.ts";
import { fails, kstream, ok } from "./cli.ts";

const withEtcd = test.skipIf(!await hasEtcd());
const dir = freshDir("refusals");
let cluster: ClusterProcess;
let dirs = 0;

beforeAll(async () => {
  if (!await hasEtcd()) return;
  cluster = await ClusterProcess.start({
    brokers: 2,
    etcd: ETCD,
    etcdMembers: 3,
    args: ["--timings", "lan"],
  });
}, 60_000);

afterAll(async () => {
  await cluster?.close();
  rmSync(dir, { recursive: true });
}, 30_000);

const newDir = () => join(dir, `node${++dirs}`);

/** The flags of a third member that would be good. */
const good = (): Record<string, string> => ({
  "--cluster": "test",
  "--metadata": cluster.metadata,
  "--node-id": "3",
  "--host": "machine3",
  "--listen": "127.0.0.1:0",
  "--data": newDir(),
  "--admin": "off",
  // Not for long is a broker of the same number waited for.
  "--timings": "lan",
});

/** Starts a third member, with these flags in place of good ones; it ends with this line. */
async function refused(
  flags: Readonly<Record<string, string>>,
  [exitCode, ...words]: readonly [number, ...string[]],
  { args = [], secret = TEST_SECRET }: { args?: readonly string[]; secret?: string } = {},
): Promise<string> {
  const given = Object.entries({ ...good(), ...flags }).flat();
  const finished = await run([KSTREAM, "serve", ...given, ...args], {
    cwd: dir,
    env: secret === "" ? {} : { KSTREAM_CLUSTER_SECRET: secret },
    timeoutMs: 50_000,
  });
  // Before its end it may have logged what it tried.
  const said = finished.stderr.split("\n").filter((line) => !/^\d{4}-/.test(line) && line !== "");
  expect([finished.exitCode, said]).toEqual([exitCode, [expect.stringMatching(/^kstream: /)]]);
  for (const word of words) expect(said[0]).toContain(word);
  return finished.stderr;
}

/** What everybody can see of the cluster. */
async function status() {
  const brokers = cluster.bootstrap;
  const { brokers: nodes } = JSON.parse(await ok(["cluster", "status", "--json"], { brokers }));
  return nodes;
}

/** Waits until it is so again, as on a busy machine somebody may seem to be silent for a moment. */
async function untilAgain(look: () => Promise<object>, before: object): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const now = await look();
    if (Bun.deepEquals(now, before)) return;
    if (performance.now() > until) return expect(now).toEqual(before);
    await Bun.sleep(100);
  }
}

withEtcd("a member that is not the cluster's is refused, and harms nobody", async () => {
  const brokers = cluster.bootstrap;
  await ok(["topic", "create", "orders", "-p", "2", "-r", "2"], { brokers });
  const before = await status();
  const stranger = newDir();
  mkdirSync(stranger);
  writeFileSync(
    join(stranger, "meta.properties"),
    "version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=3\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAg\n",
  );
  const key = (name: string) => btoa(`/kstream/${name}`);
  const [member] = cluster.etcd.members;
  const put = (name: string, value: string) =>
    cluster.etcd.ask(member!, "/v3/kv/put", { key: key(name), value: btoa(value) });
  await put("foreign/app-settings", "of somebody else");
  await put("newer/identity", '{"version":99,"cluster":"newer"}');
  await put("newer/head", '{"version":99}');
  const secret = "what another cluster has";
  const cases = [
    refused({ "--node-id": "2" }, [1, "broker 2", "Another process", "another node.id"]),
    refused({ "--data": stranger }, [1, "belong to a cluster of the id", "AAAAAAAAAAAAAAAAAAAAAQ"]),
    refused({ "--cluster": "elsewhere", "--data": stranger }, [1, "there are none", "name"]),
    refused({ "--cluster": "foreign" }, [1, "not kstream's", "another name"]),
    refused({ "--cluster": "newer" }, [
      1,
      "a version that this one does not know",
      "newer kstream",
    ]),
    refused({ "--cluster": "a/b" }, [2, "cluster name", "letters"]),
    refused({}, [1, "the secret is not this cluster's", "the secret of the cluster"], { secret }),
    refused({}, [1, "the secret of the cluster"], { secret: "" }),
    refused({}, [2, "secret"], { secret: "short" }),
  ];
  await Promise.all(cases);
  await untilAgain(status, before);
  await ok(["produce", "orders"], { brokers, input: "still here\n" });
  expect(await ok(["consume", "orders", "-e"], { brokers })).toBe("still here\n");
}, 120_000);

withEtcd("an address that others cannot use is refused before anything begins", async () => {
  const cases = [
    refused({ "--listen": "0.0.0.0:0" }, [2, "listens on every address", "--advertise"], {
      args: ["--insecure"],
    }),
    refused({ "--listen": "0.0.0.0:0" }, [2, "reached on this host alone", "--advertise"], {
      args: ["--insecure", "--advertise", "localhost:9"],
    }),
    refused({}, [2, "there is a member at 10.9.9.9:1", "--listen"], {
      args: ["--join", "10.9.9.9:1"],
    }),
    refused({}, [2, "--join cannot be read", "host:port"], { args: ["--join", "host:port:x"] }),
    refused({ "--metadata": "localhost" }, [2, "etcd://"]),
  ];
  await Promise.all(cases);
}, 60_000);

withEtcd("a member whose join addresses are all its own says so, and works", async () => {
  const port = await freePort();
  const flags = { ...good(), "--cluster": "self", "--gossip-port": String(port) };
  const args = Object.entries(flags).filter(([flag]) => flag !== "--data" && flag !== "--listen");
  const alone = await startBrokerProcess({
    env: { KSTREAM_CLUSTER_SECRET: TEST_SECRET },
    args: [...args.flat(), "--join", `127.0.0.1:${port}`],
  });
  await alone.outputHas(/WARN .*others have to join it/);
  expect(await alone.stop()).toBe(0);
}, 60_000);

withEtcd("garbage at the port of gossip changes nothing", async () => {
  const admin = ["--admin", cluster.broker(1).admin ?? ""];
  const members = async () => {
    const all: { nodeId: number; state: string; address: { port: number } }[] = JSON.parse(
      await ok(["cluster", "members", "--json", ...admin]),
    );
    return all.filter(({ nodeId }) => nodeId < 3).toSorted((a, b) => a.nodeId - b.nodeId)
      .map(({ state, address: { port } }) => ({ state, port }));
  };
  const before = await members();
  const [{ port = 0 } = {}] = before;
  const udp = createSocket("udp4");
  for (let count = 0; count < 300; count++) {
    const bytes = crypto.getRandomValues(new Uint8Array(1 + count * 4));
    await new Promise((sent) => udp.send(bytes, port, "127.0.0.1", sent));
  }
  udp.close();
  for (let count = 0; count < 20; count++) {
    await new Promise((closed) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.end(crypto.getRandomValues(new Uint8Array(1000)));
      });
      socket.on("error", () => {}).on("close", closed).resume();
    });
  }
  await untilAgain(members, before);
  const brokers = cluster.bootstrap;
  await ok(["topic", "create", "as-before", "-p", "1", "-r", "2"], { brokers });
}, 60_000);

withEtcd("etcd that cannot be used is named, with the reason", async () => {
  const openssl = (...args: string[]) =>
    runOk(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...args], {
      cwd: dir,
    });
  await openssl("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca");
  await openssl("-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=other");
  await openssl(
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/O=test"],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"],
    ...["-keyout", "host.key", "-out", "host.pem"],
  );
  const file = (name: string) => join(dir, name);
  const tls = { ca: file("ca.pem"), cert: file("host.pem"), key: file("host.key") };
  const etcd = await EtcdServers.start(ETCD, { members: 1, tls });
  try {
    const [member] = etcd.members;
    for (
      const [path, body] of [
        ["user/add", { name: "root", password: "secret" }],
        ["role/add", { name: "root" }],
        ["user/grant", { user: "root", role: "root" }],
        ["enable", {}],
      ] as const
    ) expect(await etcd.ask(member!, `/v3/auth/${path}`, body)).not.toBeNull();
    const at = (user: string, ca: string) =>
      `etcd://${user}${new URL(member!.url).host}?ca=${file(ca)}&cert=${tls.cert}&key=${tls.key}`;
    await Promise.all([
      refused({ "--metadata": at("root:wrong@", "ca.pem") }, [3, "authentication failed", "user"]),
      refused({ "--metadata": at("", "ca.pem") }, [3, "user name is empty", "user"]),
      refused({ "--metadata": at("root:secret@", "other.pem") }, [3, "certificate"]),
      refused({ "--metadata": at("root:secret@", "none.pem") }, [2, "none.pem", "--metadata"]),
      refused({ "--metadata": "etcd://127.0.0.1:1" }, [3, "refuses connections"]),
    ]);
  } finally {
    await etcd.close();
  }
}, 60_000);

withEtcd("more replicas than hosts, and what a cluster cannot take back, are refused", async () => {
  const brokers = cluster.bootstrap;
  await fails(["topic", "create", "wide", "-r", "4"], 1, ["INVALID_REPLICATION_FACTOR"], {
    brokers,
  });
  await fails(["cluster", "drain", "9"], 1, ["there is no broker 9"], { brokers });
  await ok(["topic", "create", "gone", "-p", "1", "-r", "2"], { brokers });
  const admin = ["--admin", cluster.broker(1).admin ?? ""];
  await fails(["topic", "purge", "gone", "--execute", ...admin], 1, ["--for-good"], { brokers });
  await ok(["topic", "delete", "gone"], { brokers });
  await fails(["topic", "undo", "gone", ...admin], 1, ["not in the trash"]);
}, 60_000);

withEtcd("without a quorum of etcd the cluster serves, and says what has to wait", async () => {
  const brokers = cluster.bootstrap;
  await ok(["topic", "create", "steady", "-p", "2", "-r", "2"], { brokers });
  const [one, two] = cluster.etcd.members;
  await Promise.all([one!.kill(), two!.kill()]);
  const newcomer = refused({}, [3, "etcd", "check that etcd runs"]);
  await ok(["produce", "steady"], { brokers, input: "no change is needed\n" });
  expect(await ok(["consume", "steady", "-e"], { brokers })).toBe("no change is needed\n");
  const wait = await kstream(["topic", "create", "later", "--timeout", "3"], { brokers });
  expect(wait.exitCode).toBe(3);
  expect(wait.stderr).toMatch(/^kstream: cannot create topic "later": [^\n]+\n$/);
  await newcomer;
  one!.start();
  two!.start();
  await cluster.etcd.ready();
  await ok(["topic", "create", "after", "--timeout", "30"], { brokers });
}, 120_000);
