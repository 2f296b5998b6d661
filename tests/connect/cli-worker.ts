/** `kstream connect worker` as people run it, in a process. */
import { freePort } from "../harness/free-ports.ts";
import { KSTREAM } from "../harness/broker-process.ts";
import { ready, type WorkerProcess } from "./worker-process.ts";

export interface CliWorkerOptions {
  /** Where its REST API listens; default: any port of loopback. */
  readonly rest?: string;
  /** Beyond those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A worker alone in its group. */
export interface CliWorker extends WorkerProcess {
  /** What it has written so far on standard output and error. */
  readonly log: readonly string[];
  /** Asks its REST API; fails unless the answer is good. */
  ask(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Makes a connector, or gives it another config. */
  put(name: string, config: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it and waits until it is ready. */
export async function startCliWorker(
  bootstrap: string,
  options: CliWorkerOptions = {},
): Promise<CliWorker> {
  const { rest = `127.0.0.1:${await freePort()}`, env = {}, args = [] } = options;
  const child = Bun.spawn(
    [KSTREAM, "connect", "worker", "--group", "ours", "-b", bootstrap, "--rest", rest, ...args],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { ...process.env, ...env } },
  );
  const log: string[] = [];
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) log.push(decoder.decode(chunk, { stream: true }));
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr)]);
  const url = `http://${rest}`;
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  };
  const worker: CliWorker = {
    url,
    pid: child.pid,
    exited: child.exited,
    log,
    said: async () => {
      await ended;
      return log.join("");
    },
    kill: (signal) => child.kill(signal),
    ask,
    put: async (name, config) => {
      await ask("PUT", `/connectors/${encodeURIComponent(name)}/config`, config);
    },
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
  await ready(worker);
  return worker;
}
