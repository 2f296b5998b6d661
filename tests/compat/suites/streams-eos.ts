/** A Kafka Streams application with exactly_once_v2 (`java/StreamsApp.java`), killed ten times. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { javaProgram, needJavaPrograms, SOON } from "../java-programs.ts";
import type { CompatSuite } from "../suite.ts";
import { withTarget } from "../target.ts";

const LINES = 1_500;
const KILLS = 10;
/** Which restarts find nothing of the state on disk, and which a broker that was killed, too. */
const WITHOUT_STATE = new Set([3, 7]);
const WITH_BROKER = new Set([5]);
/** How often the output must have grown before the process is killed. */
const PROGRESS = 3;
const RUN_TIMEOUT_MS = 120_000;

/** Runs the application until its output has grown `progress` times, or to its end. */
async function runApp(command: readonly string[], progress: number): Promise<boolean> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const problems = new Response(child.stderr).text();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, RUN_TIMEOUT_MS);
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.split("\nseen ").length > progress) child.kill("SIGKILL");
  }
  clearTimeout(timer);
  await child.exited;
  const finished = text.includes("done run");
  if (timedOut || (!finished && progress === Infinity)) {
    throw new Error(
      `the application did not finish:\n${text.slice(-2000)}\n${(await problems).slice(-3000)}`,
    );
  }
  return finished;
}

/** Kills and restarts the application, then lets it finish; the output has to be exactly right. */
function killedTenTimes(protocol: "classic" | "streams"): () => Promise<void> {
  return () =>
    withTarget(async (target) => {
      const scratch = freshDir("streams");
      const app = (...args: string[]) => javaProgram("StreamsApp", target.bootstrap, ...args);
      try {
        await runOk(app("fill", String(LINES)));
        let state = 0;
        const command = () => app("run", String(LINES), protocol, join(scratch, `${state}`));
        for (let kill = 1; kill <= KILLS; kill++) {
          if (await runApp(command(), PROGRESS)) {
            throw new Error(`the application was done before it was killed ${KILLS} times`);
          }
          if (WITHOUT_STATE.has(kill)) state++;
          if (WITH_BROKER.has(kill)) {
            await target.crash();
            await target.restart();
          }
        }
        await runApp(command(), Infinity);
        await runOk(app("verify", String(LINES)));
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    }, SOON);
}

export const streamsEos: CompatSuite = {
  name: "streams-eos",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [
    { name: "killed ten times, classic protocol", run: killedTenTimes("classic") },
    { name: "killed ten times, streams protocol", run: killedTenTimes("streams") },
  ],
};
