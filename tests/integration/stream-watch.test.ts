/** `kstream stream run --watch` in the built binary. */
import { expect, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

const APP = `import { string, TopologyBuilder } from "kstream/stream";
import { shout } from "./shout";
export const config = { "application.id": "watched" };
const builder = new TopologyBuilder();
builder.stream("lines", { value: string() })
  .groupBy("by-line", (line) => line)
  .count("counts")
  .toStream()
  .map((count, line) => [line, shout(line, count)], { key: string(), value: string() })
  .to("totals");
export default builder;
`;

/** The watcher, running; what it and the application say. */
class Watcher {
  said = "";
  readonly #child;
  readonly #read: Promise<void>;

  constructor(brokers: string, app: string) {
    this.#child = Bun.spawn([
      ...[KSTREAM, "stream", "run", "--watch", app, "-b", brokers],
      ...["--set", `state.dir=${freshDir("s")}`],
    ], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#read = this.#collect(this.#child.stderr);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.said += decoder.decode(chunk, { stream: true });
  }

  /** Once it has said so, so often. */
  async says(what: string, times = 1): Promise<void> {
    await until(() => this.said.split(what).length > times, () => `"${what}" in ${this.said}`);
  }

  /** Its exit code, when the application is gone as well, which has its standard error too. */
  async end(signal: "SIGINT" | "SIGTERM" | "SIGKILL"): Promise<number> {
    this.#child.kill(signal);
    await this.#read;
    return await this.#child.exited;
  }
}

async function until(isSo: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what()}`);
    await Bun.sleep(50);
  }
}

test(
  "what is changed runs, with the state that there was; what is broken is told and waited for",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      const dir = freshDir("stream-watch");
      const [app, shout] = [join(dir, "app.ts"), join(dir, "shout.ts")];
      const write = (body: string) => {
        writeFileSync(
          `${shout}.new`,
          `export const shout = (line: string, count: number) => ${body};`,
        );
        // As editors do it.
        renameSync(`${shout}.new`, shout);
      };
      const untilLast = (want: string) => {
        const args = ["consume", "totals", "-e", "--isolation", "read_committed"];
        let last: string | undefined;
        return until(async () => {
          last = (await ok(args, { brokers })).trimEnd().split("\n").at(-1);
          return last === want;
        }, () => `${want}, not ${last}`);
      };
      const produce = () => ok(["produce", "lines"], { brokers, input: "hello\n" });
      await ok(["topic", "create", "lines"], { brokers });
      await ok(["topic", "create", "totals"], { brokers });
      await fails(["stream", "run", "--watch", app], 2, [`there is no ${app}`], { brokers });
      writeFileSync(app, APP);
      write("`${line} ${count}`");
      const watcher = new Watcher(brokers, app);
      await produce();
      await untilLast("hello 1");
      write("`${line.toUpperCase()} ${count}`");
      await watcher.says("shout.ts has changed: the application begins anew");
      await watcher.says("stopping: committing what is done");
      await produce();
      await untilLast("HELLO 2");
      write("`${line");
      await watcher.says("cannot load");
      await watcher.says(`exit code 2: it begins anew when ${app} changes`);
      await produce();
      write("`${line}! ${count}`");
      await untilLast("hello! 3");
      writeFileSync(app, APP.replace("(line) => line)", "(line) => line + line)"));
      await watcher.says("app.ts has changed");
      await produce();
      await untilLast("hellohello! 1");
      expect(await watcher.end("SIGINT")).toBe(0);
      const killed = new Watcher(brokers, app);
      await killed.says("running; Ctrl-C");
      expect(await killed.end("SIGKILL")).not.toBe(0);
      expect(killed.said).toContain("stopping: committing what is done");
    }),
  240_000,
);
