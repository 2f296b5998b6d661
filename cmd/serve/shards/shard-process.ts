/** A shard as a process of this program: started, told what it is, watched, started again when it ends. */
import { type Clock, sleep } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import { ownCommand } from "../../own-command.ts";
import { Fields } from "./fields.ts";
import { formatHandover, type Handover } from "./handover.ts";
import { withPorts } from "./plan.ts";

/** Where a shard serves. */
export interface ShardAddresses {
  readonly addresses: readonly {
    readonly listener: string;
    readonly host: string;
    readonly port: number;
  }[];
  /** Its admin API; null: it has none. */
  readonly admin: string | null;
}

/** What a shard process is made of. */
export interface ShardProcessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: number;
  readonly handover: Handover;
  /** What only its first start is to create (`--topic`). */
  readonly topics: readonly string[];
}

/** Between an end and the next start: twice as long each time, less again when it has run for a while. */
const RESTART_MS_MIN = 200;
const RESTART_MS_MAX = 30_000;
const STEADY_MS = 60_000;

/** See the head of the file. */
export class ShardProcess {
  readonly #options: ShardProcessOptions;
  readonly #stopping = new AbortController();
  readonly #ready = Promise.withResolvers<ShardAddresses>();
  /** Where it has served. */
  #at: ShardAddresses | null = null;
  #child: Bun.Subprocess | null = null;
  #running: Promise<void> | null = null;
  #exitCode: number | null = null;

  constructor(options: ShardProcessOptions) {
    this.#options = options;
    this.#ready.promise.catch(() => {});
  }

  get name(): string {
    return this.#options.handover.name;
  }

  get nodeId(): number {
    return this.#options.nodeId;
  }

  /** Of the process that runs now; null: there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Where it serves, the first time. Rejects if the first process ends before. */
  get ready(): Promise<ShardAddresses> {
    return this.#ready.promise;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends it in good order, or after `timeoutMs` at once; whether it was in good order. */
  async stop(timeoutMs: number): Promise<boolean> {
    const { clock, logger } = this.#options;
    this.#stopping.abort(new Error("the shards stop"));
    this.#child?.kill("SIGTERM");
    const timer = clock.setTimer(timeoutMs, () => {
      logger.warn("a shard does not end, it is killed", { shard: this.name });
      this.#child?.kill("SIGKILL");
    });
    await this.#running;
    timer.cancel();
    return this.#exitCode === null || this.#exitCode === 0;
  }

  /** Ends it at once. */
  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  async #run(): Promise<void> {
    const { clock, logger, topics } = this.#options;
    const { signal } = this.#stopping;
    let isFirst = true;
    for (let delayMs = RESTART_MS_MIN; !signal.aborted;) {
      const startedMs = clock.monotonicMs();
      const how = await this.#once(isFirst ? topics : []);
      if (signal.aborted) return;
      if (isFirst) this.#ready.reject(new Error(how));
      isFirst = false;
      if (clock.monotonicMs() - startedMs > STEADY_MS) delayMs = RESTART_MS_MIN;
      logger.error("a shard has ended, it is started again", {
        ...{ shard: this.name, how, afterMs: delayMs },
      });
      await sleep(clock, delayMs, signal).catch(() => {});
      delayMs = Math.min(delayMs * 2, RESTART_MS_MAX);
    }
  }

  /** One process; resolves at its end with how it has ended. */
  async #once(topic: readonly string[]): Promise<string> {
    const { handover, logger } = this.#options;
    const options = this.#at === null ? handover.options : withPorts(handover.options, this.#at);
    const child = Bun.spawn([...ownCommand(), "serve", "--supervised", this.name], {
      // Its end is that of this process, however that comes.
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      // Ctrl-C is for this process alone.
      detached: true,
    });
    this.#child = child;
    const told = { ...handover, options: { ...options, topic } };
    try {
      await child.stdin.write(formatHandover(told));
      await child.stdin.flush();
    } catch {
      // It has ended already, which is told below.
    }
    void this.#listen(child.stdout).catch((error: unknown) => {
      logger.warn("a shard cannot be heard", { shard: this.name, reason: String(error) });
    });
    await child.exited;
    this.#child = null;
    this.#exitCode = child.exitCode;
    return child.signalCode === null ? `exit code ${child.exitCode}` : String(child.signalCode);
  }

  /** Its one line says where it serves. */
  async #listen(stdout: ReadableStream<Uint8Array>): Promise<void> {
    const { logger } = this.#options;
    const decoder = new TextDecoder();
    let text = "";
    let isReady = false;
    for await (const chunk of stdout) {
      if (isReady) continue;
      text += decoder.decode(chunk, { stream: true });
      const end = text.indexOf("\n");
      if (end < 0) continue;
      isReady = true;
      this.#at = parseAddresses(text.slice(0, end));
      this.#ready.resolve(this.#at);
      logger.info("a shard serves", { shard: this.name, pid: this.pid });
    }
  }
}

/** Reads what `addressJson` writes. */
function parseAddresses(line: string): ShardAddresses {
  const told = new Fields(JSON.parse(line));
  return {
    addresses: told.inners("addresses").map((each) => ({
      listener: each.text("listener"),
      host: each.text("host"),
      port: each.number("port"),
    })),
    admin: told.optionalText("admin") ?? null,
  };
}
