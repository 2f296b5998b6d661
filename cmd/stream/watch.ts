/**
 * `kstream stream run --watch`: the application in a process of its own, which ends in good order and
 * begins anew when the module, what it imports or its settings change. One that ends by itself, as it
 * does where the module is broken, has told why, and begins anew with the next change.
 */
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { clientIo } from "../client.ts";
import { ownCommand } from "../own-command.ts";
import { onInterrupt, say } from "../terminal.ts";
import { filesOfModule, stampsOf } from "./watched-files.ts";

/** How often is looked; a file that changes meanwhile is waited for. */
const LOOK_MS = 200;
/** So long an application may take to end before it is killed: its state is as at the last commit then. */
const END_MS = 30_000;

/** What the process is told that is watched: it ends with this one. */
export const WATCHED_FLAG = "--watched";

/** Until SIGINT or SIGTERM. `argv` is the whole command line, without the program. */
export async function watchApp(
  path: string,
  configFile: string | undefined,
  argv: readonly string[],
): Promise<void> {
  if (!existsSync(path)) throw new OperatorError(`there is no ${path}`, "", "", 2);
  const command = [...ownCommand(), ...watchedArguments(argv)];
  const interrupted = onInterrupt();
  while (!interrupted.aborted) {
    const files = new Set([
      ...filesOfModule(path),
      ...configFile === undefined ? [] : [configFile],
    ]);
    const stamps = stampsOf(files);
    const child = new WatchedChild(command);
    const over = AbortSignal.any([interrupted, child.ended]);
    const changed = await nextChange(stamps, over) ??
      await afterItsEnd(path, stamps, child, interrupted);
    if (changed !== null) say(`${relative(".", changed)} has changed: the application begins anew`);
    const code = await child.end();
    if (interrupted.aborted && code !== 0) {
      throw new OperatorError(`the application has ended with exit code ${code}`, "", "");
    }
  }
}

/** Null: interrupted. */
async function afterItsEnd(
  path: string,
  stamps: ReadonlyMap<string, string>,
  child: WatchedChild,
  interrupted: AbortSignal,
): Promise<string | null> {
  if (interrupted.aborted) return null;
  const code = await child.end();
  say(`the application has ended with exit code ${code}: it begins anew when ${path} changes`);
  return await nextChange(stamps, interrupted);
}

/** The first file that is another than it was, once it stays as it is; null: `over` came before. */
async function nextChange(
  stamps: ReadonlyMap<string, string>,
  over: AbortSignal,
): Promise<string | null> {
  let last = stamps;
  while (!over.aborted) {
    await sleep(clientIo.clock, LOOK_MS, over).catch(() => {});
    const now = stampsOf(stamps.keys());
    const changed = [...now].find(([file, stamp]) => stamp !== stamps.get(file))?.[0];
    const isStill = [...now].every(([file, stamp]) => stamp === last.get(file));
    if (changed !== undefined && isStill) return changed;
    last = now;
  }
  return null;
}

class WatchedChild {
  readonly #child: Bun.Subprocess;
  readonly #ended = new AbortController();

  constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], {
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
      // Nothing is said: it hears when this process is gone.
      serialization: "json",
      ipc: () => {},
      // Ctrl-C is for this process alone, which passes it on.
      detached: true,
      onExit: () => this.#ended.abort(),
    });
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends it in good order, if it has not ended; gives its exit code. */
  async end(): Promise<number> {
    if (!this.#ended.signal.aborted) {
      this.#child.kill("SIGTERM");
      const timer = clientIo.clock.setTimer(END_MS, () => {
        say(`the application does not end within ${END_MS / 1000} seconds: it is killed`);
        this.#child.kill("SIGKILL");
      });
      await this.#child.exited;
      timer.cancel();
    }
    return await this.#child.exited;
  }
}

function watchedArguments(argv: readonly string[]): string[] {
  const at = argv.indexOf("--watch");
  if (at >= 0) return argv.toSpliced(at, 1, WATCHED_FLAG);
  // It was said in the environment or a file.
  return argv.toSpliced(argv.indexOf("run") + 1, 0, WATCHED_FLAG);
}

/** In the process that is watched: it ends in good order with the one that watches. */
export function endWithWatcher(): void {
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
}
