/** A cluster of real processes on hosts of its own: etcd and brokers of the built binary. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faketimeLibrary } from "../compat/install.ts";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { EtcdMember } from "../harness/etcd-process.ts";
import { run } from "../harness/process.ts";
import { TestNetwork } from "./network.ts";

/** How the cluster is to be. */
export interface SceneOptions {
  readonly brokers: number;
  /** Default 1. */
  readonly etcdMembers?: number;
  /** The etcd program. */
  readonly etcd: string;
  /** More flags of `serve`, for all brokers. */
  readonly args?: readonly string[];
  /** The folder of this broker is on a disk of its own, of this size. */
  readonly smallDisk?: { readonly nodeId: number; readonly bytes: number };
  /** Whether each broker has a wall clock of its own (libfaketime), which `setClock` sets. */
  readonly hasClocks?: boolean;
}

const READY_MS = 60_000;
const POLL_MS = 20;
const PORT = 9092;
const OUTPUT_MAX = 2_000_000;

/** One broker, which can die and come back. */
export class SceneBroker {
  #child: Bun.Subprocess<"ignore", "pipe", "pipe"> | null = null;
  #output = "";

  constructor(
    readonly nodeId: number,
    readonly host: string,
    readonly address: string,
    readonly dir: string,
    readonly command: readonly string[],
  ) {}

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** What it has written, all its lives together. */
  get output(): string {
    return this.#output;
  }

  /** Starts it; resolves when it says that it can serve. */
  async start(): Promise<void> {
    const ready = join(this.dir, "ready");
    rmSync(ready, { force: true });
    const child = Bun.spawn([...this.command, "--ready-file", ready], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#child = child;
    void this.#collect(child.stdout);
    void this.#collect(child.stderr);
    const until = performance.now() + READY_MS;
    while (!existsSync(ready)) {
      if (this.#child !== child) return;
      if (child.exitCode !== null || performance.now() > until) {
        throw new Error(`broker ${this.nodeId} is not ready (${child.exitCode}):\n${this.#output}`);
      }
      await Bun.sleep(POLL_MS);
    }
  }

  /** As a crash of the machine, but that the page cache stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** In good order; gives the exit code. */
  async stop(): Promise<number> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGTERM");
    return await child?.exited ?? 0;
  }

  /** So many seconds ahead of all others, within a second from now. Needs `hasClocks`. */
  setClock(offsetSeconds: number): void {
    writeFileSync(clockFile(this.dir), `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}`);
  }

  /** It goes on as if no time had passed. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#output = (this.#output + decoder.decode(chunk, { stream: true })).slice(-OUTPUT_MAX);
    }
  }
}

/** See the head of the file. `close` it. */
export class ClusterScene {
  private constructor(
    readonly network: TestNetwork,
    readonly etcd: readonly EtcdMember[],
    readonly brokers: readonly SceneBroker[],
    readonly dir: string,
    private readonly mountedNode: number | null,
  ) {}

  static async start(options: SceneOptions): Promise<ClusterScene> {
    const names = (letter: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    const etcdHosts = names("e", options.etcdMembers ?? 1);
    const brokerHosts = names("b", options.brokers);
    const dir = freshDir("cluster");
    if (options.smallDisk !== undefined) await mountDisk(dir, options.smallDisk);
    const network = await TestNetwork.start([...etcdHosts, ...brokerHosts]);
    const etcd = etcdMembers(network, etcdHosts, dir, options.etcd);
    const scene = new ClusterScene(
      network,
      etcd,
      brokerHosts.map((host, index) => sceneBroker(network, host, index + 1, etcd, dir, options)),
      dir,
      options.smallDisk?.nodeId ?? null,
    );
    try {
      for (const member of etcd) member.start();
      await Promise.all(scene.brokers.map((broker) => broker.start()));
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  /** `host:port` of all brokers. */
  get bootstrap(): string[] {
    return this.brokers.map(({ address }) => address);
  }

  broker(nodeId: number): SceneBroker {
    const found = this.brokers.find((each) => each.nodeId === nodeId);
    if (found === undefined) throw new Error(`there is no broker ${nodeId}`);
    return found;
  }

  async close(): Promise<void> {
    for (const broker of this.brokers) {
      broker.resume();
      await broker.kill();
    }
    for (const member of this.etcd) await member.kill();
    await this.network.close();
    if (this.mountedNode !== null) await run(["umount", this.broker(this.mountedNode).dir]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function mountDisk(
  dir: string,
  { nodeId, bytes }: NonNullable<SceneOptions["smallDisk"]>,
): Promise<void> {
  const path = join(dir, `b${nodeId}`);
  mkdirSync(path);
  const mounted = await run(["mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path]);
  if (mounted.exitCode !== 0) throw new Error(`needs the right to mount: ${mounted.stderr.trim()}`);
}

function etcdMembers(
  network: TestNetwork,
  hosts: readonly string[],
  dir: string,
  program: string,
): EtcdMember[] {
  const url = (host: string, port: number) => `http://${network.addressOf(host)}:${port}`;
  const all = hosts.map((host) => `${host}=${url(host, 2380)}`).join(",");
  return hosts.map((host) => {
    const data = join(dir, host);
    mkdirSync(data, { recursive: true });
    return new EtcdMember(
      url(host, 2379),
      network.on(host, [
        ...[program, "--name", host, "--data-dir", data, "--initial-cluster", all],
        ...["--listen-client-urls", url(host, 2379), "--advertise-client-urls", url(host, 2379)],
        ...["--listen-peer-urls", url(host, 2380)],
        ...["--initial-advertise-peer-urls", url(host, 2380)],
      ]),
    );
  });
}

function sceneBroker(
  network: TestNetwork,
  host: string,
  nodeId: number,
  etcd: readonly EtcdMember[],
  dir: string,
  { args = [], hasClocks = false }: SceneOptions,
): SceneBroker {
  const home = join(dir, host);
  mkdirSync(home, { recursive: true });
  const secret = join(dir, "secret");
  if (!existsSync(secret)) {
    writeFileSync(secret, "a secret of this test's cluster\n", { mode: 0o600 });
  }
  const address = `${network.addressOf(host)}:${PORT}`;
  const metadata = `etcd://${etcd.map(({ url }) => new URL(url).host).join(",")}`;
  const command = network.on(host, [
    ...(hasClocks ? clockOf(home) : []),
    ...[KSTREAM, "serve", "--cluster", "proof", "--metadata", metadata, "--secret-file", secret],
    ...["--node-id", String(nodeId), "--host", host, "--data", join(home, "data")],
    ...["--listen", address, "--insecure", "--admin", "off", ...args],
  ]);
  return new SceneBroker(nodeId, host, address, home, command);
}

const clockFile = (home: string) => join(home, "clock");

/** What runs a program with a clock of its own. */
function clockOf(home: string): string[] {
  const library = faketimeLibrary();
  if (library === null) throw new Error("libfaketime is not there");
  writeFileSync(clockFile(home), "+0");
  return [
    ...["env", `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clockFile(home)}`],
    ...["FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"],
  ];
}
