/** PostgreSQL 15 over a folder of its own, ready for logical replication. */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DebianPackages } from "../../harness/debian-packages.ts";
import { freePort } from "../../harness/free-ports.ts";
import { runOk } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const PACKAGES = new DebianPackages("postgresql", "postgresql-15");
const USER = "tester";
const PASSWORD = "s3cret-pg";
/** "nobody" and "nogroup": the server refuses to run as root. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

/** Null if it is there, else why it cannot be had. */
export function needPostgres(): Promise<string | null> {
  return PACKAGES.need();
}

/** Where the packages are unpacked; for root a copy of it that others may read, too. */
function programs(): string {
  const unpacked = PACKAGES.path("usr");
  if (!isRoot) return unpacked;
  const readable = join(tmpdir(), "kstream-postgresql-15");
  if (!existsSync(readable)) {
    const copy = mkdtempSync(`${readable}-`);
    cpSync(unpacked, copy, { recursive: true, verbatimSymlinks: true });
    chmodSync(copy, 0o755);
    try {
      renameSync(copy, readable);
    } catch (error) {
      // Somebody else was first.
      rmSync(copy, { recursive: true });
      if (!existsSync(readable)) throw error;
    }
  }
  return readable;
}

/** A user who has to show a certificate in this name, where the server knows who signs those. */
export const CERTIFIED = "certified";

interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  /** Who signs certificates of users. */
  readonly ca?: string;
}

/** A server with the empty database "shop". */
export class PostgresServer extends ServerProcess {
  readonly #programs = programs();
  #settings: Readonly<Record<string, string>>;

  private constructor(readonly port: number, settings: Readonly<Record<string, string>>) {
    super("postgres");
    this.#settings = settings;
    if (isRoot) chownSync(this.folder, NOBODY, NOBODY);
  }

  /** `settings` are those of `postgresql.conf`; with a certificate it speaks TLS, too. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    certificate: ServerCertificate | null = null,
  ): Promise<PostgresServer> {
    const port = await freePort();
    const server = new PostgresServer(port!, settings);
    await server.#initialize();
    if (certificate !== null) server.#certify(certificate);
    await server.up();
    await server.#admin("CREATE DATABASE shop");
    return server;
  }

  readonly user = USER;
  readonly password = PASSWORD;
  readonly database = "shop";

  /** What connectors of SQL are configured with to use it. */
  get config(): Record<string, string> {
    return {
      "connection.url": `postgresql://127.0.0.1:${this.port}/shop`,
      "connection.user": USER,
      "connection.password": PASSWORD,
    };
  }

  /** What connectors of its log are configured with to use it, by Debezium's names. */
  get captureConfig(): Record<string, string> {
    return {
      "database.hostname": "127.0.0.1",
      "database.port": String(this.port),
      "database.user": USER,
      "database.password": PASSWORD,
      "database.dbname": this.database,
    };
  }

  /** Runs statements on a connection of their own, one after the other; the rows of the last one. */
  async sql(...statements: readonly string[]): Promise<readonly Record<string, unknown>[]> {
    const client = this.client();
    try {
      let rows: readonly Record<string, unknown>[] = [];
      for (const statement of statements) rows = await client.unsafe(statement);
      return [...rows];
    } finally {
      await client.close({ timeout: 0 });
    }
  }

  /** Another client of it. */
  client(database = "shop"): Bun.SQL {
    return new Bun.SQL({
      adapter: "postgres",
      hostname: "127.0.0.1",
      port: this.port,
      username: USER,
      password: PASSWORD,
      database,
      max: 1,
    });
  }

  protected override answers(): Promise<boolean> {
    return this.#admin("SELECT 1").then(() => true, () => false);
  }

  async #initialize(): Promise<void> {
    const passwordFile = join(this.folder, "password");
    writeFileSync(passwordFile, PASSWORD);
    if (isRoot) chownSync(passwordFile, NOBODY, NOBODY);
    await runOk(
      this.#command("initdb", [
        ...["-D", join(this.folder, "data"), "-U", USER, "--pwfile", passwordFile, "-N"],
        ...["--auth", "scram-sha-256", "-E", "UTF8", "--locale", "C"],
      ]),
      { env: this.#environment() },
    );
  }

  #certify({ cert, key, ca }: ServerCertificate): void {
    const file = (name: string, text: string) => {
      const path = join(this.folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      if (isRoot) chownSync(path, NOBODY, NOBODY);
      return path;
    };
    const files = { ssl_cert_file: file("cert.pem", cert), ssl_key_file: file("key.pem", key) };
    this.#settings = { ...this.#settings, ssl: "on", ...files };
    if (ca === undefined) return;
    const hosts = readFileSync(join(this.folder, "data/pg_hba.conf"), "utf8");
    // Of those that ask for it, only who shows a certificate with the user's name is let in.
    const first = `hostssl all ${CERTIFIED} all cert\n`;
    writeFileSync(join(this.folder, "data/pg_hba.conf"), first + hosts);
    this.#settings = { ...this.#settings, ssl_ca_file: file("ca.pem", ca) };
  }

  protected override spawn(): Bun.Subprocess {
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      wal_level: "logical",
      max_wal_senders: "10",
      max_replication_slots: "10",
      jit: "off",
      fsync: "off",
      ...this.#settings,
    };
    return Bun.spawn(
      this.#command("postgres", [
        ...["-D", join(this.folder, "data"), "-p", String(this.port)],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]),
      { env: this.#environment(), stdout: "ignore", stderr: "ignore" },
    );
  }

  #command(program: string, options: readonly string[]): string[] {
    const path = join(this.#programs, "lib/postgresql/15/bin", program);
    const as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
    return [...isRoot ? as : [], path, ...options];
  }

  #environment(): Record<string, string> {
    return {
      ...process.env,
      LD_LIBRARY_PATH: PACKAGES.libraryPath().replaceAll(PACKAGES.path("usr"), this.#programs),
      TZ: "UTC",
    };
  }

  async #admin(statement: string): Promise<void> {
    const client = this.client("postgres");
    try {
      await client.unsafe(statement);
    } finally {
      await client.close({ timeout: 0 });
    }
  }
}
