/**
 * `bun tests/connect/rest-session/run.ts`: the same session with a worker of Apache Kafka and one of
 * ours, each beside a broker of its own. Every field that differs has to be explained.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { needJavaPrograms } from "../../compat/java-programs.ts";
import { freshDir, startBrokerProcess } from "../../harness/broker-process.ts";
import { ready, startApacheWorker, startOurWorker, type WorkerProcess } from "../worker-process.ts";
import { differences, judge } from "./compare.ts";
import { EXPLAINED } from "./explained.ts";
import { SINK_CLASS, SOURCE_CLASS } from "./line-connectors.ts";
import { type Answer, play, session } from "./steps.ts";

async function answersOf(
  start: (dir: string, bootstrap: string) => Promise<WorkerProcess>,
): Promise<Map<string, Answer>> {
  const dir = freshDir("session");
  writeFileSync(join(dir, "in"), "one\ntwo\nthree\n");
  const broker = await startBrokerProcess();
  const worker = await start(dir, broker.bootstrap);
  try {
    await ready(worker);
    return await play(worker.url, session({ dir, source: SOURCE_CLASS, sink: SINK_CLASS }));
  } finally {
    worker.kill("SIGKILL");
    await worker.exited;
    await broker.stop();
  }
}

const reason = await needJavaPrograms();
if (reason !== null) {
  console.log(`left out: ${reason}`);
  process.exit(process.env["CI"] === undefined ? 0 : 1);
}
const theirs = await answersOf((dir, bootstrap) => startApacheWorker(dir, bootstrap, "session"));
const ours = await answersOf((_, bootstrap) => startOurWorker(bootstrap, "session"));
const found = differences(theirs, ours);
const { unexplained, idle } = judge(found, EXPLAINED);
for (const { step, path, theirs: a, ours: b } of unexplained) {
  console.log(`${step}: ${path} is ${JSON.stringify(a)} there and ${JSON.stringify(b)} here`);
}
for (const { step, path } of idle) console.log(`nothing differs any more at ${step} ${path}`);
console.log(
  `${theirs.size} answers compared, ${found.length} fields differ, ` +
    `${unexplained.length} of them unexplained`,
);
process.exit(unexplained.length + idle.length === 0 && ours.size === theirs.size ? 0 : 1);
