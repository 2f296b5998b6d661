/**
 * Hosts of a test: network namespaces whose packets all pass through `weather/`, which loses, delays and
 * cuts by direction. The kernel's own ways (netem) are not on every machine. Needs root and Go.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../harness/broker-process.ts";
import { linesOf, runOk } from "../harness/process.ts";

/** What happens to packets in one direction. Nothing said: they arrive. */
export interface Weather {
  readonly isCut?: boolean;
  readonly lossPercent?: number;
  readonly delayMs?: number;
}

/** Why there can be no such network here, or null. */
export function networkProblem(): string | null {
  if (Bun.which("go") === null) return "needs Go";
  if (Bun.which("ip") === null) return "needs ip (apt-get install iproute2)";
  if (process.getuid?.() !== 0) return "needs root, for network namespaces";
  return existsSync("/dev/net/tun") ? null : "needs /dev/net/tun";
}

/** All hosts. */
export const ALL = "*";
const BUILD_MS = 120_000;

/** See the head of the file. `close` it. */
export class TestNetwork {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #hosts: readonly string[];
  readonly #lines: AsyncIterator<string>;

  private constructor(
    child: Bun.Subprocess<"pipe", "pipe", "inherit">,
    hosts: readonly string[],
    lines: AsyncIterator<string>,
  ) {
    this.#child = child;
    this.#hosts = hosts;
    this.#lines = lines;
  }

  /** Makes hosts with these names; this process is one more, called `test`. */
  static async start(hosts: readonly string[]): Promise<TestNetwork> {
    const program = join(freshDir("weather"), "weather");
    const cwd = join(import.meta.dir, "weather");
    await runOk(["go", "build", "-o", program, "."], { cwd, timeoutMs: BUILD_MS });
    for (const host of hosts) await runOk(["ip", "netns", "add", namespaceOf(host)]);
    const child = Bun.spawn([
      program,
      ...hosts.map((host, index) => `${host}=${namespaceOf(host)}=${addressAt(index)}`),
      `test==${addressAt(hosts.length)}`,
    ], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const network = new TestNetwork(child, hosts, linesOf(child.stdout));
    await network.#expect("ready");
    return network;
  }

  addressOf(host: string): string {
    return addressAt(host === "test" ? this.#hosts.length : this.#hosts.indexOf(host));
  }

  /** The command that runs another one on a host. */
  on(host: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", namespaceOf(host), ...command];
  }

  /** The weather from one host to another, or `ALL`. */
  async set(from: string, to: string, weather: Weather): Promise<void> {
    const words = ["set", from, to];
    if (weather.isCut === true) words.push("cut");
    if (weather.lossPercent !== undefined) words.push(`loss=${weather.lossPercent}`);
    if (weather.delayMs !== undefined) words.push(`delay=${weather.delayMs}`);
    await this.#say(words.join(" "));
  }

  /** In both directions between one host and all others. */
  async around(host: string, weather: Weather): Promise<void> {
    await this.set(host, ALL, weather);
    await this.set(ALL, host, weather);
  }

  /** Fair weather everywhere. */
  async clear(): Promise<void> {
    await this.#say("clear");
  }

  /** The hosts go; their processes have to be gone before. */
  async close(): Promise<void> {
    await this.#child.stdin.end();
    await this.#child.exited;
    for (const host of this.#hosts) await runOk(["ip", "netns", "del", namespaceOf(host)]);
  }

  async #say(command: string): Promise<void> {
    this.#child.stdin.write(`${command}\n`);
    await this.#child.stdin.flush();
    await this.#expect("ok");
  }

  async #expect(word: string): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== word) throw new Error(`the network of the test says: ${value}`);
  }
}

/** Two tests at once are two networks. */
const SUBNET = process.pid % 200;
const namespaceOf = (host: string) => `kst-${process.pid}-${host}`;
const addressAt = (index: number) => `10.77.${SUBNET}.${index + 1}`;
