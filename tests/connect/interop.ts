/**
 * `bun tests/connect/interop.ts`: workers of Apache Kafka and of ours take turns on the same group and
 * the same topics: each finds what the other has left, connectors, states and offsets, and no line comes
 * twice. In one group at once they refuse one another.
 */
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needJavaPrograms } from "../compat/java-programs.ts";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { SINK_CLASS, SOURCE_CLASS } from "./rest-session/line-connectors.ts";
import { ready, startApacheWorker, startOurWorker, type WorkerProcess } from "./worker-process.ts";

const GROUP = "turns";
const PATIENCE_MS = 60_000;

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await Bun.sleep(50);
  }
}

function expectSame(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [found, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

async function ask(worker: WorkerProcess, method: string, path: string, body?: unknown) {
  const response = await fetch(`${worker.url}${path}`, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

async function state(worker: WorkerProcess, name: string): Promise<string> {
  const response = await fetch(`${worker.url}/connectors/${name}/status`);
  if (!response.ok) return String(response.status);
  const { connector, tasks } = await response.json();
  return [connector, ...tasks].map((each: { state: string }) => each.state).join();
}

const runs = (worker: WorkerProcess, name: string) =>
  eventually(`${name} runs`, async () => await state(worker, name) === "RUNNING,RUNNING");

class Turns {
  readonly dir = freshDir("turns");
  readonly input = join(this.dir, "in");
  readonly output = join(this.dir, "out");
  readonly #workers: WorkerProcess[] = [];
  #lines = 0;

  constructor(readonly bootstrap: string) {
    writeFileSync(this.input, "");
  }

  get theirs(): Promise<WorkerProcess> {
    return this.#started(startApacheWorker(this.dir, this.bootstrap, GROUP));
  }

  get ours(): Promise<WorkerProcess> {
    return this.#started(startOurWorker(this.bootstrap, GROUP));
  }

  async #started(starting: Promise<WorkerProcess>): Promise<WorkerProcess> {
    const worker = await starting;
    this.#workers.push(worker);
    return worker;
  }

  killAll(): void {
    for (const worker of this.#workers) worker.kill("SIGKILL");
  }

  /** New lines come out, each once, after all that came before. */
  async linesGoThrough(who: string): Promise<void> {
    const lines = Array.from({ length: 100 }, () => `line ${this.#lines++}`);
    appendFileSync(this.input, lines.map((line) => `${line}\n`).join(""));
    const written = () => readFileSync(this.output, "utf8").split("\n").slice(0, -1);
    await eventually(
      `${who}: ${this.#lines} lines came out`,
      () => written().length >= this.#lines,
    );
    expectSame(
      `lines with ${who}`,
      written(),
      Array.from({ length: this.#lines }, (_, i) => `line ${i}`),
    );
  }

  /** All that either side should know of the group. */
  async knownBy(worker: WorkerProcess) {
    const names: string[] = await ask(worker, "GET", "/connectors");
    const configs = await Promise.all(
      names.toSorted().map(async (name) => {
        const config: Record<string, string> = await ask(
          worker,
          "GET",
          `/connectors/${name}/config`,
        );
        return [name, Object.entries(config).sort()];
      }),
    );
    return { configs, offsets: await ask(worker, "GET", "/connectors/in/offsets") };
  }

  async end(worker: WorkerProcess): Promise<void> {
    worker.kill("SIGTERM");
    await worker.exited;
  }
}

async function takeTurns(turns: Turns): Promise<void> {
  const first = await turns.theirs;
  await ready(first);
  const reading = { "connector.class": SOURCE_CLASS, file: turns.input, topic: "lines" };
  const writing = { "connector.class": SINK_CLASS, file: turns.output, topics: "lines" };
  await ask(first, "PUT", "/connectors/in/config", reading);
  await ask(first, "PUT", "/connectors/out/config", writing);
  for (const [name, how] of [["paused", "pause"], ["stopped", "stop"]]) {
    await ask(first, "PUT", `/connectors/${name}/config`, { ...reading, file: `${turns.dir}/no` });
    await runs(first, name!);
    await ask(first, "PUT", `/connectors/${name}/${how}`);
  }
  await runs(first, "in");
  await runs(first, "out");
  await turns.linesGoThrough("theirs");
  // Those of all lines: what the worker stores as it ends would be more than was looked at.
  const end = `"position":${statSync(turns.input).size}`;
  await eventually("offsets are stored", async () => {
    return JSON.stringify(await ask(first, "GET", "/connectors/in/offsets")).includes(end);
  });
  const left = await turns.knownBy(first);
  await turns.end(first);

  const second = await turns.ours;
  await ready(second);
  await runs(second, "in");
  await runs(second, "out");
  expectSame("what ours finds", await turns.knownBy(second), left);
  await eventually("one is paused", async () => await state(second, "paused") === "PAUSED,PAUSED");
  await eventually("one has stopped", async () => await state(second, "stopped") === "STOPPED");
  await turns.linesGoThrough("ours");
  await ask(second, "PUT", "/connectors/stopped/resume");
  await runs(second, "stopped");
  await ask(second, "DELETE", "/connectors/paused");
  await ask(second, "PATCH", "/connectors/in/config", { "batch.size": "700" });
  await runs(second, "in");
  await turns.linesGoThrough("ours, changed");
  await eventually("offsets are stored", async () => {
    const { offsets } = await ask(second, "GET", "/connectors/in/offsets");
    return offsets[0]?.offset.position === readFileSync(turns.input).length;
  });
  const changed = await turns.knownBy(second);
  await turns.end(second);

  const third = await turns.theirs;
  await ready(third);
  await runs(third, "in");
  await runs(third, "out");
  await runs(third, "stopped");
  expectSame("what theirs finds", await turns.knownBy(third), changed);
  await turns.linesGoThrough("theirs again");
  await refuseOurs(turns);
  await turns.linesGoThrough("theirs, as before");
  await turns.end(third);
  await refuseTheirs(turns);
}

/** In a group of Java's workers ours ends with one line that says why. */
async function refuseOurs(turns: Turns): Promise<void> {
  const ours = await turns.ours;
  expectSame("the exit code", await ours.exited, 1);
  const [last] = (await ours.said()).trim().split("\n").slice(-1);
  if (!/no worker of ours can join group "turns": its members are Java workers/.test(last ?? "")) {
    throw new Error(`ours said: ${last}`);
  }
}

/** In a group of ours theirs cannot join, and ours goes on as if nothing had been. */
async function refuseTheirs(turns: Turns): Promise<void> {
  const ours = await turns.ours;
  await ready(ours);
  await runs(ours, "in");
  await runs(ours, "out");
  const theirs = await turns.theirs;
  await Bun.sleep(8000);
  const health = await fetch(`${theirs.url}/health`).catch(() => null);
  if (health?.ok === true) throw new Error("a Java worker is in a group of ours");
  theirs.kill("SIGKILL");
  await theirs.exited;
  await turns.linesGoThrough("ours, with theirs at the door");
  await turns.end(ours);
}

const reason = await needJavaPrograms();
if (reason !== null) {
  console.log(`left out: ${reason}`);
  process.exit(process.env["CI"] === undefined ? 0 : 1);
}
const broker = await startBrokerProcess();
const turns = new Turns(broker.bootstrap);
try {
  await takeTurns(turns);
} finally {
  turns.killAll();
  await broker.stop();
}
console.log("workers of both kinds took turns three times; each refused the other in its group");
