/** Child processes for tests: bounded in time, output kept, killed by their own pid only. */

/** What a finished command left behind. */
export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array<ArrayBuffer>;
  /** The command is killed, and the call fails, after this time. Default 60 s. */
  readonly timeoutMs?: number;
}

/** Runs a command to its end and returns its output, whatever its exit code. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const timeoutMs = options.timeoutMs ?? 60_000;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  if (timedOut) {
    throw new Error(
      `${command.join(" ")} did not end within ${timeoutMs} ms\n${stderr.slice(-2000)}`,
    );
  }
  return { exitCode, stdout, stderr };
}

/** As `run`, but any exit code other than 0 is an error that shows the command's output. */
export async function runOk(
  command: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const finished = await run(command, options);
  if (finished.exitCode !== 0) {
    throw new Error(
      `${command.join(" ")} ended with ${finished.exitCode}\n` +
        `${finished.stdout.slice(-2000)}\n${finished.stderr.slice(-2000)}`,
    );
  }
  return finished;
}

/** Whole lines as they come, without their ends. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
