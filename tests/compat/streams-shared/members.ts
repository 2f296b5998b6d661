/** Members of the shop: `kstream stream run` and the program in Java, and what their stores hold. */
import { BunDisk } from "../../../core/io/bun/disk.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { silentLogger } from "../../../core/logger.ts";
import { loadApp } from "../../../cmd/stream/load-app.ts";
import { StateDirectory } from "../../../stream/stores/state-directory.ts";
import { KSTREAM } from "../../harness/broker-process.ts";
import { linesOf } from "../../harness/process.ts";
import { javaProgram } from "../java-programs.ts";
import { APPLICATION_ID } from "./shop.ts";

/** A member that runs. */
export class Member {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #heard = Promise.withResolvers<void>();

  constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    const { stdout, stderr, exited } = this.#child;
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const line of linesOf(stream)) {
        this.#lines.push(line);
        this.#stir();
      }
    };
    this.#ended = Promise.all([read(stdout), read(stderr), exited]).then(() => this.#stir());
  }

  #stir(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  /** The last of what it has said. */
  get said(): string {
    return this.#lines.slice(-40).join("\n");
  }

  /** Until it has said so, from a line on; gives the place of that line. */
  async says(what: string | RegExp, from = 0): Promise<number> {
    for (;;) {
      const has = (line: string) => typeof what === "string" ? line === what : what.test(line);
      const at = this.#lines.findIndex((line, index) => index >= from && has(line));
      if (at >= 0) return at;
      if (this.#child.exitCode !== null) throw new Error(`it ended without ${what}:\n${this.said}`);
      await this.#heard.promise;
    }
  }

  /** Sends it a line and waits for one. What was said between. */
  async ask(line: string, answer: string): Promise<string[]> {
    const from = this.#lines.length;
    this.tell(line);
    const to = await this.says(answer, from);
    return this.#lines.slice(from, to);
  }

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
    void this.#child.stdin.flush();
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async exitCode(): Promise<number> {
    await this.#ended;
    return await this.#child.exited;
  }
}

/** By Kafka's names. */
export type Settings = Readonly<Record<string, string>>;

const pairs = (settings: Settings) => Object.entries(settings).map((pair) => pair.join("="));

/** The program in Java. */
export function javaMember(bootstrap: string, stateDir: string, settings: Settings = {}): Member {
  return new Member(javaProgram("StreamsShared", bootstrap, stateDir, ...pairs(settings)));
}

/** Ours. */
export function ourMember(
  bootstrap: string,
  app: string,
  stateDir: string,
  settings: Settings = {},
): Member {
  const set = pairs({ "state.dir": stateDir, ...settings }).flatMap((pair) => ["--set", pair]);
  return new Member([KSTREAM, "stream", "run", app, "-b", bootstrap, ...set]);
}

/** What Java's stores hold, a line for each entry. */
export async function javaStores(member: Member): Promise<string[]> {
  return (await member.ask("dump", "dumped")).filter(isEntry).sort();
}

function isEntry(line: string): boolean {
  return /^(counts|seconds|names) /.test(line);
}

/** What the stores of a member of ours hold that has ended, in the same words. */
export async function ourStores(app: string, stateDir: string): Promise<string[]> {
  const { topology } = await loadApp(app);
  const clocks = { clock: bunClock, random: bunRandom };
  const io = { disk: new BunDisk(null), ...clocks, logger: silentLogger };
  const directory = StateDirectory.open(io, { dir: stateDir, applicationId: APPLICATION_ID });
  const entries: string[] = [];
  for (const taskId of directory.tasks()) {
    const files = io.disk.list(`${stateDir}/${APPLICATION_ID}/${taskId}`);
    for (const [name, spec] of topology.stores) {
      if (!files.some((file) => file.name === name)) continue;
      const { engine } = directory.open(taskId, spec);
      for (const [key, value] of engine.range({ from: null, to: null })) {
        entries.push(entryText(name, Buffer.from(key), Buffer.from(value)));
      }
      engine.close();
    }
  }
  directory.close();
  return entries.sort();
}

/** A timestamp, then the value; keys of windows end in their start and a number. */
function entryText(store: string, key: Buffer, stored: Buffer): string {
  const [time, value] = [stored.readBigInt64BE(), stored.subarray(8)];
  switch (store) {
    case "counts":
      return `counts ${key} ${value.readBigInt64BE()} @${time}`;
    case "seconds": {
      const [name, start] = [key.subarray(0, -12), key.readBigInt64BE(key.length - 12)];
      return `seconds ${name} ${start} ${value.readBigInt64BE()} @${time}`;
    }
    default:
      return `${store} ${key} ${value} @${time}`;
  }
}
