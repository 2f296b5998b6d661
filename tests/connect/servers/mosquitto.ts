/** Mosquitto, an MQTT broker, with its clients, from Debian's packages. */
import { statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { DebianPackages } from "../../harness/debian-packages.ts";
import { freePort } from "../../harness/free-ports.ts";
import { run } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const packages = new DebianPackages("mosquitto", "mosquitto", "mosquitto-clients");
const START_TIMEOUT_MS = 30_000;

/** Null if it is there, else why it cannot be had. */
export const needMosquitto = () => packages.need();

export interface MosquittoOptions {
  /** Lines of mosquitto.conf behind the listener. */
  readonly conf?: readonly string[];
  /** What `mosquitto_pub` and `mosquitto_sub` need besides the port. */
  readonly clientArgs?: readonly string[];
  readonly scheme?: "mqtt" | "mqtts";
}

/** A broker whose sessions, and what waits for them, are on its disk at once. */
export class MosquittoServer extends ServerProcess {
  private constructor(readonly port: number, readonly options: MosquittoOptions) {
    super("mosquitto");
    const conf = [
      `listener ${port} 127.0.0.1`,
      ...options.conf ?? ["allow_anonymous true"],
      "persistence true",
      // Saved at each change, since it is killed.
      "autosave_on_changes true",
      "autosave_interval 1",
      `persistence_location ${this.folder}/`,
      "max_queued_messages 0",
      "queue_qos0_messages true",
      ...process.getuid?.() === 0 ? ["user root"] : [],
    ];
    writeFileSync(join(this.folder, "mosquitto.conf"), conf.map((line) => `${line}\n`).join(""));
  }

  static async start(options: MosquittoOptions = {}): Promise<MosquittoServer> {
    const port = await freePort();
    const server = new MosquittoServer(port!, options);
    await server.up();
    return server;
  }

  /** What connectors are configured with to use it. */
  get config(): Record<string, string> {
    const scheme = this.options.scheme ?? "mqtt";
    return { "mqtt.server.uri": `${scheme}://127.0.0.1:${this.port}` };
  }

  /** Publishes lines, a message each, with `mosquitto_pub`. */
  async publish(topic: string, lines: readonly string[], ...args: readonly string[]) {
    const input = lines.map((line) => `${line}\n`).join("");
    await this.#publish(["-t", topic, "-q", "1", "-l", ...args], input);
  }

  /** Publishes a message of any bytes. */
  async publishBytes(topic: string, bytes: Uint8Array<ArrayBuffer>) {
    await this.#publish(["-t", topic, "-q", "1", ...bytes.length === 0 ? ["-n"] : ["-s"]], bytes);
  }

  async #publish(args: readonly string[], input: string | Uint8Array<ArrayBuffer>) {
    const done = await this.#client("mosquitto_pub", args, input);
    if (done.exitCode !== 0) throw new Error(done.stderr);
  }

  /** What `mosquitto_sub` says with these arguments: it ends by -C COUNT or -W SECONDS. */
  async subscribe(...args: readonly string[]): Promise<string[]> {
    const { stdout } = await this.#client("mosquitto_sub", ["-q", "1", ...args]);
    return stdout.trimEnd().split("\n");
  }

  /** Has `mosquitto_sub` write what comes to a file, until its end, which is the caller's affair. */
  listen(file: string, ...args: readonly string[]): Bun.Subprocess {
    return Bun.spawn(this.#command("mosquitto_sub", ["-q", "1", ...args]), {
      env: environment(),
      stdin: "ignore",
      stdout: Bun.file(file),
      stderr: "ignore",
    });
  }

  #client(name: string, args: readonly string[], input: string | Uint8Array<ArrayBuffer> = "") {
    return run(this.#command(name, args), { env: environment(), input });
  }

  #command(name: string, args: readonly string[]): string[] {
    const where = ["-h", "127.0.0.1", "-p", String(this.port), ...this.options.clientArgs ?? []];
    return [packages.path(`usr/bin/${name}`), ...where, ...args];
  }

  protected override spawn(): Bun.Subprocess {
    return Bun.spawn([
      packages.path("usr/sbin/mosquitto"),
      ...["-c", join(this.folder, "mosquitto.conf")],
    ], { env: environment(), stdout: "ignore", stderr: "ignore" });
  }

  protected override answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
  }

  /**
   * Kills the process, once what it has said it has is on its disk: by itself it saves a moment after it
   * has said so, and what is lost in between is its own doing.
   */
  override async down(): Promise<void> {
    const before = this.#saved();
    this.child?.kill("SIGUSR1");
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (this.child !== null && this.#saved() === before) {
      if (performance.now() > deadline) throw new Error("mosquitto does not save its state");
      await Bun.sleep(5);
    }
    await super.down();
  }

  /** Ends the process in good order: what it has said it has is on its disk. */
  async end(): Promise<void> {
    await this.ended("SIGTERM");
  }

  /** When it has saved its state last. */
  #saved(): bigint | null {
    const file = join(this.folder, "mosquitto.db");
    return statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? null;
  }
}

function environment(): Record<string, string> {
  return { ...process.env as Record<string, string>, LD_LIBRARY_PATH: packages.libraryPath() };
}
