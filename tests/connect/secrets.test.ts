/**
 * What a reference to a secret stands for is nowhere but in the connector: not in the topics of the
 * group, the answers of the REST API and of the admin server, statuses, metrics and logs, whatever goes
 * wrong with it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../harness/free-ports.ts";
import { type BrokerProcess, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";
import { type CliWorker, startCliWorker } from "./cli-worker.ts";

const OF_ENV = "sesame-of-the-environment";
const OF_FILE = "sesame-of-the-file";
const SECRETS = [OF_ENV, OF_FILE];

let dir: string;
let broker: BrokerProcess;
let worker: CliWorker;
let target: ReturnType<typeof Bun.serve>;
/** What was heard, by who has said it. */
const heard = new Map<string, string>();
/** Whether the target was given the secrets: else this test would prove nothing. */
let wasGiven = false;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kstream-secrets-"));
  writeFileSync(join(dir, "secret"), OF_FILE);
  target = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      wasGiven ||= request.headers.get("authorization") === `Bearer ${OF_ENV}` &&
        request.url.includes(OF_FILE);
      // As services do that are carelessly written, but for the secret.
      return new Response("no", { status: 400 });
    },
  });
  const rest = `127.0.0.1:${await freePort()}`;
  broker = await startBrokerProcess({
    args: ["--admin", "127.0.0.1:0", "--connect-url", `http://${rest}`],
  });
  worker = await startCliWorker(broker.bootstrap, {
    rest,
    env: { SESAME: OF_ENV },
    args: ["--log-level", "debug"],
  });
}, 120_000);
afterAll(async () => {
  await worker?.stop();
  await broker?.stop();
  void target?.stop(true);
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

/** Asks, whatever the answer is, and remembers what it was. */
async function ask(method: string, path: string, body?: unknown, base = worker.url) {
  const answer = await fetch(`${base}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  heard.set(`${method} ${base}${path}`, text);
  return text;
}

const sink = () => ({
  "connector.class": "http-sink",
  topics: "numbers",
  url: `http://127.0.0.1:${target.port}/?token=\${file:${join(dir, "secret")}}`,
  headers: "Authorization: Bearer ${env:SESAME}",
  "signature.secret": "${env:SESAME}",
  "retry.attempts": "0",
});

/** Each is wrong, by a value that is a secret. */
const WRONG = {
  "a number": { "batch.size": "${env:SESAME}" },
  "a choice": { format: "${env:SESAME}" },
  "a URL": { url: "${env:SESAME}" },
  "headers": { headers: "${env:SESAME}" },
  "a common field": { "tasks.max": "${env:SESAME}" },
  "an unknown converter": { "value.converter": "${env:SESAME}" },
  "a converter's field": { "value.converter.schema.content": "${env:SESAME}" },
  "an unknown transform": { transforms: "t", "transforms.t.type": "${env:SESAME}" },
  "an expression": {
    transforms: "t",
    "transforms.t.type": "expr",
    "transforms.t.where": "${env:SESAME} ((",
  },
  "a client's setting": { "consumer.override.max.poll.records": "${env:SESAME}" },
  "a variable that is not there": { headers: "${env:SESAME} ${env:NOT_THERE}" },
};

test("whatever is done with references to secrets, what they stand for is not told", async () => {
  const validate = "/connector-plugins/http-sink/config/validate";
  await ask("PUT", validate, { ...sink(), name: "calls" });
  for (const wrong of Object.values(WRONG)) {
    const config = { ...sink(), name: "wrong", ...wrong };
    for (const base of [worker.url, `${broker.admin?.replace(/\/$/, "")}/v1/connect`]) {
      await ask("PUT", `${validate}?${JSON.stringify(wrong)}`, config, base);
    }
    await ask("POST", `/connectors?${JSON.stringify(wrong)}`, { name: "wrong", config });
  }
  await worker.put("numbers", { "connector.class": "datagen", topic: "numbers", count: "3" });
  await worker.put("calls", sink());
  const failed = /"tasks":\[\{"id":0,"state":"FAILED".*400/;
  while (!failed.test(await ask("GET", "/connectors/calls/status"))) await Bun.sleep(50);
  await ask("POST", "/connectors/calls/restart?includeTasks=true");
  for (
    const path of [
      "?expand=info&expand=status",
      ...["", "/config", "/tasks", "/offsets", "/topics", "/tasks/0/status"].map((rest) =>
        `/calls${rest}`
      ),
    ]
  ) await ask("GET", `/connectors${path}`);
  for (const path of ["/metrics", "/admin/figures?scope=cluster"]) await ask("GET", path);
  for (const topic of ["ours-configs", "ours-status", "ours-offsets"]) {
    const read = await run([KSTREAM, "consume", topic, "-e", "-b", broker.bootstrap]);
    heard.set(topic, read.stdout + read.stderr);
  }
  const status = await run([KSTREAM, "connect", "status", "calls", "--worker", worker.url]);
  heard.set("connect status", status.stdout + status.stderr);
  heard.set("the log", worker.log.join(""));
  expect(wasGiven).toBe(true);
  expect(heard.get("ours-configs")).toContain("${env:SESAME}");
  const told = [...heard].filter(([, text]) => SECRETS.some((secret) => text.includes(secret)));
  expect(told).toEqual([]);
}, 120_000);
