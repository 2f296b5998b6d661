/**
 * What a scenario runs against: the built binary or, with `--control`, Apache Kafka itself, which
 * proves the scenario. Either can be killed and started again in the middle.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type BrokerProcess, freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import { type ApacheBroker, startApacheBroker } from "./apache-broker.ts";

/** Whether the scenarios run against Apache Kafka. */
export const CONTROL = process.argv.includes("--control");

/** A broker under test. */
export type Target = Omit<ApacheBroker, "end">;

class KstreamTarget implements ApacheBroker {
  readonly #dir = freshDir("target");
  readonly #args: readonly string[];
  #broker: BrokerProcess | null = null;

  constructor(settings: Readonly<Record<string, string>>) {
    this.#args = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  }

  get #running(): BrokerProcess {
    if (this.#broker === null) throw new Error("the broker is not running");
    return this.#broker;
  }

  get bootstrap(): string {
    return this.#running.bootstrap;
  }

  async start(port: number): Promise<void> {
    const dataDir = join(this.#dir, "data");
    this.#broker = await startBrokerProcess({ dataDir, port, args: this.#args });
  }

  async crash(): Promise<void> {
    await this.#running.stop("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.start(this.#running.port);
  }

  /** Stops it; a broker that does not end in good order fails the scenario. */
  async finish(): Promise<void> {
    const exitCode = await this.#running.stop();
    if (exitCode !== 0) throw new Error(`serve ended with ${exitCode}`);
  }

  async end(): Promise<void> {
    await this.#broker?.stop("SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true });
  }

  output(): string {
    return this.#broker?.output().slice(-3000) ?? "";
  }
}

/** Runs the body against a fresh broker with these configs besides the defaults. */
export async function withTarget(
  body: (target: Target) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (CONTROL) {
    const broker = await startApacheBroker(settings);
    try {
      return await body(broker);
    } finally {
      await broker.end();
    }
  }
  const broker = new KstreamTarget(settings);
  try {
    await broker.start(0);
    await body(broker);
    await broker.finish();
  } catch (error) {
    throw new Error(
      `${error instanceof Error ? error.stack : error}\n── broker:\n${broker.output()}`,
    );
  } finally {
    await broker.end();
  }
}
