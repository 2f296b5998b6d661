/** etcd with TLS, client certificates, users and passwords. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { etcdStoreAt, parseEtcdUrl } from "../../../cluster/etcd/etcd-url.ts";
import { openEtcdMetadataLog } from "../../../cluster/etcd/open-etcd.ts";
import { EtcdServers } from "../../harness/etcd-process.ts";
import { freshDir } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { ETCD } from "../install.ts";
import { CLUSTER_ID, freshName, TIMES, worldAt } from "./world.ts";
import { aloneBroker } from "../../../cluster/metadata-image.ts";
import { readAll } from "../../../cluster/metadata-log-suite.test-helper.ts";

const dir = freshDir("etcd-tls");
const file = (name: string) => join(dir, name);
let etcd: EtcdServers;

/** The gateway inside etcd presents the server's certificate to etcd: it has to do for clients too. */
async function makeCertificates(): Promise<void> {
  const newKey = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
  const openssl = (...args: string[]) =>
    runOk(["openssl", "req", "-x509", ...newKey, ...args], { cwd: dir });
  await openssl("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca");
  await openssl(
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/O=test"],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"],
    ...["-keyout", "host.key", "-out", "host.pem"],
  );
}

beforeAll(async () => {
  await makeCertificates();
  const tls = { ca: file("ca.pem"), cert: file("host.pem"), key: file("host.key") };
  etcd = await EtcdServers.start(ETCD, { members: 1, tls });
  const member = etcd.members[0]!;
  const steps: [string, object][] = [
    ["/v3/auth/user/add", { name: "root", password: "secret" }],
    ["/v3/auth/user/add", { name: "kstream", password: "p@ss:word" }],
    ["/v3/auth/role/add", { name: "root" }],
    ["/v3/auth/role/add", { name: "kstream" }],
    ["/v3/auth/role/grant", {
      name: "kstream",
      perm: { permType: "READWRITE", key: btoa("/kstream/"), range_end: btoa("/kstream0") },
    }],
    ["/v3/auth/user/grant", { user: "root", role: "root" }],
    ["/v3/auth/user/grant", { user: "kstream", role: "kstream" }],
    ["/v3/auth/enable", {}],
  ];
  for (const [path, body] of steps) expect(await etcd.ask(member, path, body)).not.toBeNull();
}, 60_000);

afterAll(async () => {
  await etcd.close();
  rmSync(dir, { recursive: true });
});

function open(user: string, options: string, operationMs = TIMES.operationMs) {
  const [host] = etcd.urls.map((url) => url.replace("https://", ""));
  const address = parseEtcdUrl(`etcd://${user}${host}?${options}`);
  const store = etcdStoreAt(address, (path) => readFileSync(path, "utf8"));
  const times = { ...TIMES, operationMs };
  const world = { ...worldAt({ endpoints: [] }), store, times };
  return openEtcdMetadataLog(world, { cluster: freshName(), newClusterId: CLUSTER_ID });
}

const USER = "kstream:p%40ss%3Aword@";
const options = () => `ca=${file("ca.pem")}&cert=${file("host.pem")}&key=${file("host.key")}`;

test("a user with a certificate may; its token is renewed when etcd has forgotten it", async () => {
  const { log } = await open(USER, options());
  expect(await log.append(0, [aloneBroker(1)])).toEqual({ ok: true, position: 1 });
  // Tokens are in the memory of etcd.
  await etcd.members[0]?.kill();
  etcd.members[0]?.start();
  expect(await log.append(1, [aloneBroker(2)])).toEqual({ ok: true, position: 2 });
  expect(await readAll(log)).toEqual([aloneBroker(1), aloneBroker(2)]);
  log.close();
});

test("everybody else is told why not", async () => {
  await expect(open("kstream:wrong@", options())).rejects.toThrow("authentication failed");
  await expect(open("", options())).rejects.toThrow("user name is empty");
  await expect(open(USER, "tls=true", 1500)).rejects.toThrow(/certificate/i);
  await expect(open(USER, `ca=${file("ca.pem")}`, 1500)).rejects.toThrow("cannot be asked");
});
