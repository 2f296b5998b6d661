/** The built binary as a broker process, for integration, compatibility and fault tests. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./free-ports.ts";
import { freshDir } from "./fresh-dir.ts";

export { freshDir };

/** The binary under test: `KSTREAM_BINARY`, else `dist/kstream` of this checkout. */
export const KSTREAM = process.env["KSTREAM_BINARY"] ??
  join(import.meta.dir, "../../dist/kstream");

/** A running broker. */
export interface BrokerProcess {
  /** `host:port` of the first listener. */
  readonly bootstrap: string;
  readonly port: number;
  /** `host:port` of all listeners. */
  readonly addresses: readonly string[];
  /** The URL of the admin API, or null if it is off. */
  readonly admin: string | null;
  /** Those of all shards. */
  readonly admins: readonly string[];
  readonly pid: number;
  readonly dataDir: string;
  /** What it wrote so far, both streams. */
  output(): string;
  /**
   * The first match in what it has written, once there is one, or fails after 10 s. Being ready is
   * told by a file, and what it wrote before may come through the pipe after that.
   */
  outputHas(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  /** SIGTERM (or `signal`), then waits for the end and returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

export interface BrokerProcessOptions {
  /** In place of the one under test. */
  readonly binary?: string;
  /** Default: a fresh directory under the system's temporary one, removed by `withBroker`. */
  readonly dataDir?: string;
  /** Several data directories, in place of `dataDir`. */
  readonly logDirs?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  /** Values of `--listen`, in place of one on the port; empty: none. */
  readonly listen?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How long it may take until it can serve; default 30 s. */
  readonly readyWithinMs?: number;
}

/** Starts the binary and waits until it says that it can serve. */
export async function startBrokerProcess(
  options: BrokerProcessOptions = {},
): Promise<BrokerProcess> {
  const scratch = freshDir("broker");
  const dataDir = options.dataDir ?? join(scratch, "data");
  const readyFile = join(scratch, "ready");
  const child = Bun.spawn([
    options.binary ?? KSTREAM,
    "serve",
    ...(options.logDirs === undefined
      ? ["--data", dataDir]
      : ["--set", `log.dirs=${options.logDirs.join(",")}`]),
    ...(options.listen ?? [`127.0.0.1:${options.port ?? await freePort()}`]).flatMap((
      at,
    ) => ["--listen", at]),
    "--ready-file",
    readyFile,
    ...(options.args ?? []),
  ], {
    cwd: scratch,
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      output = (output + decoder.decode(chunk, { stream: true })).slice(-1_000_000);
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const deadline = Date.now() + (options.readyWithinMs ?? 30_000);
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      await collected;
      throw new Error(`the broker did not get ready (exit ${child.exitCode}):\n${output}`);
    }
    await Bun.sleep(2);
  }
  const ready = readFileSync(readyFile, "utf8");
  const address = /127\.0\.0\.1:(\d+)/.exec(ready);
  if (address === null) throw new Error("the ready file names no address");
  return {
    bootstrap: `127.0.0.1:${address[1]}`,
    port: Number(address[1]),
    addresses: ready.split("\n").filter((line) => /^[^/]+:\d+$/.test(line)),
    admin: /^https?:\/\/.+$/m.exec(ready)?.[0] ?? null,
    admins: ready.match(/^https?:\/\/.+$/gm) ?? [],
    pid: child.pid,
    dataDir,
    output: () => output,
    outputHas: async (pattern, withinMs = 10_000) => {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        if (Date.now() > deadline) throw new Error(`no ${pattern} in:\n${output}`);
        await Bun.sleep(2);
      }
    },
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      const exitCode = await child.exited;
      await collected;
      rmSync(scratch, { recursive: true, force: true });
      return exitCode;
    },
  };
}

/** Runs `body` against a fresh broker, which is stopped and must have ended in good order. */
export async function withBroker<T>(
  body: (broker: BrokerProcess) => Promise<T>,
  options: BrokerProcessOptions = {},
): Promise<T> {
  const broker = await startBrokerProcess(options);
  try {
    const result = await body(broker);
    const exitCode = await broker.stop();
    if (exitCode !== 0) throw new Error(`serve ended with ${exitCode}:\n${broker.output()}`);
    return result;
  } catch (error) {
    await broker.stop("SIGKILL");
    const shown = broker.output().slice(-3000);
    throw new Error(`${error instanceof Error ? error.stack : error}\n── broker:\n${shown}`);
  }
}
