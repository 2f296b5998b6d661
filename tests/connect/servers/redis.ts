/** Redis, from Debian's packages. */
import { DebianPackages } from "../../harness/debian-packages.ts";
import { freePort } from "../../harness/free-ports.ts";
import { run } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const packages = new DebianPackages("redis", "redis-server");

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
export class RedisServer extends ServerProcess {
  private constructor(readonly port: number, readonly options: RedisOptions) {
    super("redis");
  }

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const port = await freePort();
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

  protected override spawn(): Bun.Subprocess {
    const ports = this.options.tls === true
      ? ["--port", "0", "--tls-port", String(this.port)]
      : ["--port", String(this.port)];
    return Bun.spawn([
      packages.path("usr/bin/redis-server"),
      ...[...ports, "--bind", "127.0.0.1", "--dir", this.folder],
      ...["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
      ...this.options.args ?? [],
    ], { env: environment(), stdout: "ignore", stderr: "ignore" });
  }

  protected override async answers(): Promise<boolean> {
    return (await this.cli("PING"))[0] === "PONG";
  }
}

function environment(): Record<string, string> {
  return { ...process.env as Record<string, string>, LD_LIBRARY_PATH: packages.libraryPath() };
}
