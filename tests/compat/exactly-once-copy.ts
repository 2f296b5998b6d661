/** A copy loop with transactions (`java/ExactlyOnceCopy.java`) that is killed again and again. */
import { runOk } from "../harness/process.ts";
import { javaProgram } from "./java-programs.ts";
import { CONTROL, type Target, withTarget } from "./target.ts";

const RECORDS = 6_000;
const KILLS = 5;
/** Apache Kafka 4.3.1 under load gave no stable offsets for 150 s after it was killed like this. */
const BROKER_KILLS = CONTROL ? 0 : 2;
const COPY_TIMEOUT_MS = 150_000;

const SETTINGS = {
  "group.consumer.min.session.timeout.ms": "1000",
  "group.consumer.session.timeout.ms": "3000",
  "group.consumer.min.heartbeat.interval.ms": "100",
  "group.consumer.heartbeat.interval.ms": "300",
  "group.min.session.timeout.ms": "1000",
};

/** Runs the copy once; kills it with SIGKILL after it has committed `commits` times. */
async function copyOnce(
  bootstrap: string,
  protocol: string,
  commits: number,
  onCommit: () => Promise<void>,
): Promise<{ readonly done: boolean; readonly said: string }> {
  const child = Bun.spawn(
    javaProgram("ExactlyOnceCopy", bootstrap, "copy", "in", "out", protocol, "loop"),
    { stdout: "pipe", stderr: "pipe" },
  );
  const problems = new Response(child.stderr).text();
  const timer = setTimeout(() => child.kill("SIGKILL"), COPY_TIMEOUT_MS);
  try {
    let [text, seen] = ["", 0];
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const now = text.split("committed").length - 1;
      if (seen < commits && now >= commits) await onCommit();
      seen = now;
      if (now >= commits) child.kill("SIGKILL");
    }
    await child.exited;
    const said = `${text.slice(-500)}\n${(await problems).slice(-3000)}`;
    return { done: text.includes("done copy"), said };
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}

async function crashAndRestart(target: Target): Promise<void> {
  await target.crash();
  await target.restart();
}

/** Copies with the loop killed several times, and the broker too; then all is there just once. */
export function copyWhileKilled(protocol: "classic" | "consumer"): Promise<void> {
  return withTarget(async (target) => {
    const program = (...args: string[]) =>
      runOk(javaProgram("ExactlyOnceCopy", target.bootstrap, ...args));
    await program("fill", "in", "out", String(RECORDS));
    for (let kill = 0; kill < KILLS; kill++) {
      const crash = kill < BROKER_KILLS ? () => crashAndRestart(target) : () => Promise.resolve();
      if ((await copyOnce(target.bootstrap, protocol, 3 + kill * 2, crash)).done) {
        throw new Error("the copy ended before it was killed often enough");
      }
    }
    const deadline = Date.now() + COPY_TIMEOUT_MS;
    const untilDone = () => copyOnce(target.bootstrap, protocol, Infinity, () => Promise.resolve());
    for (let last = await untilDone(); !last.done; last = await untilDone()) {
      if (Date.now() > deadline) {
        throw new Error(`the copy does not come to its end:\n${last.said}`);
      }
    }
    await program("verify", "in", "out", String(RECORDS));
  }, SETTINGS);
}
