/**
 * A shard as a process of this program: started, told what it is, watched, started again when it ends,
 * and asked how it is.
 */
import type { ShardHealth } from "../../../admin/health.ts";
import { type Clock, sleep } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import { ownCommand } from "../../own-command.ts";
import { Fields } from "./fields.ts";
import { formatHandover, type Handover } from "./handover.ts";
import { formatMessage, type Message, parseMessage, unready } from "./messages.ts";
import { withPorts } from "./plan.ts";
import { Questions } from "./questions.ts";

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
  /** How the other shards are, which the shard asks. */
  readonly others: (shard: ShardProcess) => Promise<readonly ShardHealth[]>;
}

/** Between an end and the next start: twice as long each time, less again when it has run for a while. */
const RESTART_MS_MIN = 200;
const RESTART_MS_MAX = 30_000;
const STEADY_MS = 60_000;
/** Of what a shard says in one line. */
const LINE_CHARS_MAX = 1024 * 1024;

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
  readonly #questions: Questions;

  constructor(options: ShardProcessOptions) {
    this.#options = options;
    this.#questions = new Questions(options.clock, (ask) => this.#tell({ ask }));
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

  /** How it is, also where it cannot say so itself within the time. */
  async health(timeoutMs: number): Promise<ShardHealth> {
    if (this.#child === null) return unready(this.name, "it has ended, and is started again");
    const [answer] = await this.#questions.ask(timeoutMs) ?? [];
    return answer ?? unready(this.name, "it does not answer");
  }

  /** Whether it does, within the time, where there is a process that could. */
  async answers(timeoutMs: number): Promise<boolean> {
    const child = this.#child;
    return child === null || await this.#questions.ask(timeoutMs) !== null || this.#child !== child;
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

  /** Ends it at once; `why` for the log, where there is something to say. */
  kill(why?: string): void {
    if (why !== undefined) {
      this.#options.logger.error(`killing a shard: ${why}`, { shard: this.name });
    }
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
    this.#questions.forget();
    this.#exitCode = child.exitCode;
    return child.signalCode === null ? `exit code ${child.exitCode}` : String(child.signalCode);
  }

  /** It says where it serves, once; all else are messages. */
  async #listen(stdout: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > LINE_CHARS_MAX) {
        throw new Error(`a line of over ${LINE_CHARS_MAX} characters`);
      }
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#heard(new Fields(JSON.parse(line)));
    }
  }

  #heard(said: Fields): void {
    if (!said.has("addresses")) return this.#answer(parseMessage(said));
    this.#at = addressesOf(said);
    this.#ready.resolve(this.#at);
    this.#options.logger.info("a shard serves", { shard: this.name, pid: this.pid });
  }

  #answer(message: Message): void {
    if ("answer" in message) return this.#questions.answered(message.answer, message.shards);
    const child = this.#child;
    void this.#options.others(this).then((shards) => {
      if (this.#child === child) this.#tell({ answer: message.ask, shards });
    });
  }

  /** Where it has ended nobody reads it, which is told by its end. */
  #tell(message: Message): void {
    const stdin = this.#child?.stdin;
    if (stdin === undefined || typeof stdin === "number") return;
    void (async () => {
      await stdin.write(formatMessage(message));
      await stdin.flush();
    })().catch(() => {});
  }
}

/** Reads what `addressJson` writes. */
function addressesOf(told: Fields): ShardAddresses {
  return {
    addresses: told.inners("addresses").map((each) => ({
      listener: each.text("listener"),
      host: each.text("host"),
      port: each.number("port"),
    })),
    admin: told.optionalText("admin") ?? null,
  };
}
