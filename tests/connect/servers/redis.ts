/** Redis, from Debian's packages. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DebianPackages } from "../../harness/debian-packages.ts";
import { freePorts } from "../../harness/etcd-process.ts";
import { run } from "../../harness/process.ts";

const packages = new DebianPackages("redis", "redis-server");
const START_TIMEOUT_MS = 30_000;

/** Null if it is there, else why it cannot be had. */
export const needRedis = () => packages.need();

export interface RedisOptions {
  /** As in redis.conf, `["--requirepass", "x"]`. */
  readonly args?: readonly string[];
  /** What `redis-cli` needs besides the port. */
  readonly cliArgs?: readonly string[];
  readonly tls?: boolean;
}

/** A server that writes each command to its disk before it answers. */
export class RedisServer {
  readonly #folder = mkdtempSync(join(tmpdir(), "kstream-redis-"));
  #process: Bun.Subprocess | null = null;

  private constructor(readonly port: number, readonly options: RedisOptions) {}

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const [port] = await freePorts(1);
    const server = new RedisServer(port!, options);
    await server.up();
    return server;
  }

  /** What connectors are configured with to use it. */
  get config(): Record<string, string> {
    const scheme = this.options.tls === true ? "rediss" : "redis";
    return { "redis.uri": `${scheme}://127.0.0.1:${this.port}` };
  }

  /** Asks as `redis-cli` does; the lines of the answer. */
  async cli(...command: readonly string[]): Promise<string[]> {
    const args = ["-p", String(this.port), ...this.options.cliArgs ?? [], ...command];
    const answer = await run([packages.path("usr/bin/redis-cli"), ...args], { env: environment() });
    const lines = answer.stdout.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Begins the process, also after `down`. */
  async up(): Promise<void> {
    const ports = this.options.tls === true
      ? ["--port", "0", "--tls-port", String(this.port)]
      : ["--port", String(this.port)];
    this.#process = Bun.spawn([
      packages.path("usr/bin/redis-server"),
      ...[...ports, "--bind", "127.0.0.1", "--dir", this.#folder],
      ...["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
      ...this.options.args ?? [],
    ], { env: environment(), stdout: "ignore", stderr: "ignore" });
    const deadline = performance.now() + START_TIMEOUT_MS;
    while ((await this.cli("PING"))[0] !== "PONG") {
      if (performance.now() > deadline) throw new Error("Redis does not answer");
      await Bun.sleep(20);
    }
  }

  /** Kills the process; what it has stays. */
  async down(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
    this.#process = null;
  }

  /** It goes on to be there, but does nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    await this.down();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function environment(): Record<string, string> {
  return { ...process.env as Record<string, string>, LD_LIBRARY_PATH: packages.libraryPath() };
}
