/** Hosts that are processes of this program, watched for their memory. */
import { readFileSync } from "node:fs";
import type { Host, HostEvents, OpenHost } from "../../../connect/host/host.ts";
import { ownCommand } from "../../own-command.ts";
import { HOST_WORD } from "./host-word.ts";

const MEMORY_MS = 250;
/** Of what a module prints. */
const LINE_CHARS_MAX = 4096;
const LINES_PER_SECOND = 100;
/** What is kept of the end of standard error, to say why a process has ended. */
const LAST_LINES = 20;
const MIB = 1024 * 1024;

export interface ProcessHostOptions {
  readonly memoryBytesMax: number;
  /** Variables of the environment that a module is not to see. */
  readonly hidden: (name: string) => boolean;
}

/** Opens such hosts. */
export function processHosts(options: ProcessHostOptions): OpenHost {
  return (events) => new ProcessHost(options, events);
}

class ProcessHost implements Host {
  readonly ended: Promise<string>;
  readonly #child: Bun.Subprocess;
  readonly #last: string[] = [];
  #why: string | null = null;

  constructor({ memoryBytesMax, hidden }: ProcessHostOptions, private readonly events: HostEvents) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !hidden(name)));
    const child = Bun.spawn([...ownCommand(), HOST_WORD], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env,
      serialization: "json",
      ipc: (message: unknown) => events.message(message),
      // Ctrl-C is for this process alone.
      detached: true,
    });
    this.#child = child;
    const watch = setInterval(() => this.#watchMemory(memoryBytesMax), MEMORY_MS);
    watch.unref();
    const heard = Promise.all([this.#listen(child.stdout), this.#listen(child.stderr)]);
    this.ended = this.#end(child, heard).finally(() => clearInterval(watch));
  }

  send(message: unknown): void {
    try {
      this.#child.send(message);
    } catch {
      // It has ended, which is told by its end.
    }
  }

  kill(why: string): void {
    this.#why ??= why;
    this.#child.kill("SIGKILL");
  }

  #watchMemory(bytesMax: number): void {
    const bytes = ownMemoryOf(this.#child.pid);
    if (bytes === null || bytes <= bytesMax) return;
    const [has, limit] = [bytes, bytesMax].map((each) => Math.round(each / MIB));
    this.kill(`it took ${has} MiB of memory, and the limit is ${limit} MiB (--plugin-memory)`);
  }

  async #end(child: Bun.Subprocess, heard: Promise<unknown>): Promise<string> {
    await child.exited;
    if (this.#why !== null) return this.#why;
    // What a child of it keeps open is not waited for.
    await Promise.race([heard, Bun.sleep(500)]);
    const how = child.signalCode === null
      ? `exit code ${child.exitCode}`
      : `signal ${child.signalCode}`;
    return this.#last.length === 0 ? how : `${how}\n${this.#last.join("\n")}`;
  }

  /** What it prints, as lines. */
  async #listen(output: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    let second = 0;
    let count = 0;
    const say = (line: string) => {
      this.#last.push(line);
      if (this.#last.length > LAST_LINES) this.#last.shift();
      const now = Math.floor(performance.now() / 1000);
      if (now !== second) [second, count] = [now, 0];
      if (++count <= LINES_PER_SECOND) this.events.line(line);
    };
    for await (const chunk of output) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) say(line.slice(0, LINE_CHARS_MAX));
      if (text.length <= LINE_CHARS_MAX) continue;
      say(text.slice(0, LINE_CHARS_MAX));
      text = "";
    }
    if (text !== "") say(text);
  }
}

/** Memory that is the process's alone, without the program itself; null where it cannot be told. */
function ownMemoryOf(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}
