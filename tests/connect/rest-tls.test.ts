/** Workers whose REST API speaks TLS ask one another over it, and commands ask them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { freePort } from "../harness/free-ports.ts";
import { type BrokerProcess, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { run } from "../harness/process.ts";

const DEADLINE_MS = 30_000;
const STATUS = z.object({ connector: z.object({ state: z.string(), worker_id: z.string() }) });

const authority = new TestAuthority();
const { certFile, keyFile } = authority.sign("workers");
let broker: BrokerProcess;
const workers: Bun.Subprocess[] = [];
const urls: string[] = [];

beforeAll(async () => {
  broker = await startBrokerProcess();
  for (let i = 0; i < 2; i++) {
    const rest = `127.0.0.1:${await freePort()}`;
    const tls = ["--rest-cert", certFile, "--rest-key", keyFile, "--rest-ca", authority.caFile];
    const delays = ["--session-timeout", "6", "--rebalance-delay", "0"];
    workers.push(
      Bun.spawn(
        [KSTREAM, "connect", "worker", "--group", "tls", "-b", broker.bootstrap]
          .concat("--rest", rest, ...tls, ...delays),
        { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      ),
    );
    urls.push(`https://${rest}`);
  }
}, 60_000);
afterAll(async () => {
  for (const worker of workers) worker.kill("SIGTERM");
  await Promise.all(workers.map(({ exited }) => exited));
  await broker?.stop();
  rmSync(authority.dir, { recursive: true, force: true });
}, 60_000);

function connect(env: Record<string, string>, ...args: string[]) {
  return run([KSTREAM, "connect", ...args], { env });
}

test("whichever of them is asked, it is done, and nobody is trusted unasked", async () => {
  const trusting = { NODE_EXTRA_CA_CERTS: authority.caFile };
  for (const [i, url] of urls.entries()) {
    const config = join(authority.dir, `numbers-${i}.yaml`);
    writeFileSync(config, `name: numbers-${i}\nconnector: datagen\ntopic: numbers\nrate: 1\n`);
    // One of the two is not the leader, and has to ask it.
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const created = await connect(trusting, "create", config, "--worker", url);
      if (created.exitCode === 0) break;
      if (performance.now() > deadline) throw new Error(created.stderr);
      await Bun.sleep(50);
    }
  }
  const hosts = new Set<string>();
  for (const name of ["numbers-0", "numbers-1"]) {
    for (const url of urls) {
      const args = ["status", name, "--worker", url, "--json"];
      const deadline = performance.now() + DEADLINE_MS;
      for (;;) {
        const { stdout, stderr } = await connect(trusting, ...args);
        const status = stdout.startsWith("{") ? STATUS.safeParse(JSON.parse(stdout)) : null;
        if (status?.data?.connector.state === "RUNNING") {
          hosts.add(status.data.connector.worker_id);
          break;
        }
        if (performance.now() > deadline) throw new Error(`${stdout}${stderr}`);
        await Bun.sleep(50);
      }
    }
  }
  // Each of them has one.
  expect([...hosts].sort()).toEqual(urls.map((url) => url.replace("https://", "")).sort());
  const wary = await connect({}, "list", "--worker", urls[0]!);
  expect([wary.exitCode, wary.stderr]).toEqual([3, expect.stringContaining("certificate")]);
}, 120_000);

test("half a certificate, and files that are none, are refused in a line", async () => {
  const flags = ["worker", "--group", "x", "-b", broker.bootstrap, "--rest", "127.0.0.1:0"];
  const half = await connect({}, ...flags, "--rest-cert", certFile);
  expect([half.exitCode, half.stderr]).toEqual([
    2,
    expect.stringContaining("the REST API cannot speak TLS: it needs a certificate and its key"),
  ]);
  const none = await connect({}, ...flags, "--rest-ca", `${certFile}.gone`);
  expect([none.exitCode, none.stderr]).toEqual([2, expect.stringContaining("--rest-ca")]);
});
