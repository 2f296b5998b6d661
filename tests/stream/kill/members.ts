/** Members of the application as processes: they come, are stopped, and are killed. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../../harness/broker-process.ts";
import { APP } from "./app.ts";

export interface MemberOptions {
  readonly bootstrap: string;
  /** So many may run at a time; each has a state directory of its own. */
  readonly slots: number;
  readonly isStatic: boolean;
  /** Of stores, which outlive their disks. */
  readonly hasSnapshots: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

const STOP_MS = 120_000;
const SHOWN_BYTES = 4000;
const TERMINATED = 128 + 15;

/** See the head of the file. */
export class Members {
  readonly dir = freshDir("kill-streams");
  readonly #running = new Map<number, { child: Bun.Subprocess; log: string }>();
  /** Why one of them has ended that nobody ended. */
  #trouble: Error | null = null;
  #starts = 0;

  constructor(private readonly options: MemberOptions) {
    writeFileSync(join(this.dir, "app.ts"), APP);
  }

  running(): number[] {
    return [...this.#running.keys()];
  }

  free(): number[] {
    return Array.from({ length: this.options.slots }, (_, slot) => slot)
      .filter((slot) => !this.#running.has(slot));
  }

  requireWell(): void {
    if (this.#trouble !== null) throw this.#trouble;
  }

  start(slot: number): void {
    const { bootstrap, isStatic, hasSnapshots, settings } = this.options;
    const log = join(this.dir, `member-${slot}-${this.#starts++}.log`);
    const all = {
      "state.dir": this.#stateOf(slot),
      "session.timeout.ms": "6000",
      "heartbeat.interval.ms": "1000",
      ...(hasSnapshots && {
        "state.snapshot.dir": join(this.dir, "snapshots"),
        "state.snapshot.interval.ms": "2000",
      }),
      ...(isStatic && { "group.instance.id": `slot-${slot}` }),
      ...settings,
    };
    const child = Bun.spawn([
      ...[KSTREAM, "stream", "run", join(this.dir, "app.ts"), "-b", bootstrap],
      ...Object.entries(all).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    ], { stdin: "ignore", stdout: "ignore", stderr: Bun.file(log) });
    this.#running.set(slot, { child, log });
    void child.exited.then((exitCode) => {
      if (this.#running.get(slot)?.child !== child) return;
      const shown = readFileSync(log, "utf8").slice(-SHOWN_BYTES);
      this.#trouble ??= new Error(`member ${slot} has ended by itself with ${exitCode}:\n${shown}`);
    });
  }

  async kill(slot: number): Promise<void> {
    const { child } = this.#take(slot);
    child.kill("SIGKILL");
    await child.exited;
  }

  /** In good order. */
  async stop(slot: number): Promise<void> {
    const { child, log } = this.#take(slot);
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const exitCode = await child.exited;
    clearTimeout(timer);
    const shown = readFileSync(log, "utf8").slice(-SHOWN_BYTES);
    // Before it says so it may not have begun to listen to signals.
    if (exitCode === 0 || (exitCode === TERMINATED && !shown.includes("running;"))) return;
    throw new Error(`member ${slot} did not stop in good order, ${exitCode}:\n${shown}`);
  }

  /** As when its machine is gone for good: another one takes its place. */
  forget(slot: number): void {
    rmSync(this.#stateOf(slot), { recursive: true, force: true });
  }

  /** How many stores have, as members say in their logs. */
  begunWithSnapshots(): number {
    const logs = readdirSync(this.dir).filter((name) => name.endsWith(".log"));
    const text = logs.map((name) => readFileSync(join(this.dir, name), "utf8")).join("\n");
    return text.split("store begins with a snapshot").length - 1;
  }

  end(): void {
    for (const { child } of this.#running.values()) child.kill("SIGKILL");
    this.#running.clear();
  }

  #stateOf(slot: number): string {
    return join(this.dir, `state-${slot}`);
  }

  #take(slot: number) {
    this.requireWell();
    const member = this.#running.get(slot)!;
    this.#running.delete(slot);
    return member;
  }
}
