/** Real etcd servers for tests: one, or a cluster of several, that can be killed, stopped, restarted. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "./broker-process.ts";
import { freePorts } from "./free-ports.ts";

const READY_MS = 20_000;
const POLL_MS = 50;
/** Passwords are hashed slowly on purpose. */
const ASK_MS = 5000;

/** How the servers are to be. */
export interface EtcdOptions {
  readonly members: number;
  /** Certificates as files: clients then speak TLS, and must have a certificate of this CA. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** One server. */
export class EtcdMember {
  #child: ReturnType<typeof Bun.spawn> | null = null;
  #isStopped = false;

  constructor(readonly url: string, readonly command: readonly string[]) {}

  start(): void {
    this.#isStopped = false;
    this.#child = Bun.spawn([...this.command], { stdout: "ignore", stderr: "ignore" });
  }

  get isRunning(): boolean {
    return this.#child !== null && !this.#isStopped;
  }

  /** As a crash of the machine. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** It neither answers nor hangs up. */
  stop(): void {
    this.#isStopped = true;
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#isStopped = false;
    this.#child?.kill("SIGCONT");
  }
}

/** The servers of one etcd cluster. */
export class EtcdServers {
  private constructor(
    readonly members: readonly EtcdMember[],
    readonly tlsFiles: EtcdOptions["tls"],
    readonly dir: string,
  ) {}

  static async start(program: string, options: EtcdOptions): Promise<EtcdServers> {
    const dir = freshDir("etcd");
    const ports = await freePorts(options.members * 2);
    const scheme = options.tls === undefined ? "http" : "https";
    const ids = Array.from({ length: options.members }, (_, index) => index);
    const peer = (id: number) => `http://127.0.0.1:${ports[id]}`;
    const client = (id: number) => `${scheme}://127.0.0.1:${ports[options.members + id]}`;
    const members = ids.map((id) => {
      mkdirSync(join(dir, `m${id}`), { recursive: true });
      return new EtcdMember(client(id), [
        ...[program, "--name", `m${id}`, "--data-dir", join(dir, `m${id}`)],
        ...["--listen-client-urls", client(id), "--advertise-client-urls", client(id)],
        ...["--listen-peer-urls", peer(id), "--initial-advertise-peer-urls", peer(id)],
        ...["--initial-cluster", ids.map((each) => `m${each}=${peer(each)}`).join(",")],
        ...["--heartbeat-interval", "50", "--election-timeout", "500"],
        ...(options.tls === undefined ? [] : [
          ...["--trusted-ca-file", options.tls.ca, "--client-cert-auth"],
          ...["--cert-file", options.tls.cert, "--key-file", options.tls.key],
        ]),
      ]);
    });
    for (const member of members) member.start();
    const servers = new EtcdServers(members, options.tls, dir);
    await servers.ready();
    return servers;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  /** Asks one member through the JSON gateway; null if it does not answer well. */
  async ask(member: EtcdMember, path: string, body: object, token?: string): Promise<unknown> {
    const tls = this.tlsFiles;
    const files = tls && {
      ca: Bun.file(tls.ca),
      cert: Bun.file(tls.cert),
      key: Bun.file(tls.key),
    };
    try {
      const response = await fetch(member.url + path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: new Headers(token === undefined ? [] : [["Authorization", token]]),
        signal: AbortSignal.timeout(ASK_MS),
        ...(files ? { tls: files } : {}),
      });
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  /** Waits until a running member takes part in a quorum. */
  async ready(): Promise<void> {
    const until = performance.now() + READY_MS;
    for (;;) {
      for (const member of this.members.filter(({ isRunning }) => isRunning)) {
        if (await this.ask(member, "/v3/kv/range", { key: "AA==" }) !== null) return;
      }
      if (performance.now() > until) throw new Error("etcd did not become ready");
      await Bun.sleep(POLL_MS);
    }
  }

  /** The member that leads. */
  async leader(): Promise<EtcdMember> {
    const until = performance.now() + READY_MS;
    while (performance.now() < until) {
      for (const member of this.members.filter(({ isRunning }) => isRunning)) {
        const status = await this.ask(member, "/v3/maintenance/status", {});
        const fields = new Map<string, unknown>(Object.entries(status ?? {}));
        const header = new Map<string, unknown>(Object.entries(fields.get("header") ?? {}));
        const leader = fields.get("leader");
        if (leader !== undefined && leader === header.get("member_id")) return member;
      }
      await Bun.sleep(POLL_MS);
    }
    throw new Error("etcd has no leader");
  }

  /** Forgets all revisions before the present one. */
  async compact(): Promise<void> {
    for (const member of this.members.filter(({ isRunning }) => isRunning)) {
      const answer = await this.ask(member, "/v3/kv/range", { key: "AA==" });
      const fields = new Map<string, unknown>(Object.entries(answer ?? {}));
      const header = new Map<string, unknown>(Object.entries(fields.get("header") ?? {}));
      const revision = header.get("revision");
      const body = { revision, physical: true };
      if (await this.ask(member, "/v3/kv/compaction", body) !== null) return;
    }
    throw new Error("etcd did not compact");
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}
