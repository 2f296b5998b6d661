/** MariaDB 10.11 over a folder of its own. */
import { join } from "node:path";
import { DebianPackages } from "../../harness/debian-packages.ts";
import { freePort } from "../../harness/free-ports.ts";
import { runOk } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const PACKAGES = new DebianPackages("mariadb", "mariadb-server");
const USER = "tester";
const PASSWORD = "s3cret-my";

/** Null if it is there, else why it cannot be had. */
export function needMariadb(): Promise<string | null> {
  return PACKAGES.need();
}

/** A server with the empty database "shop". */
export class MariadbServer extends ServerProcess {
  readonly #environment = { ...process.env, LD_LIBRARY_PATH: PACKAGES.libraryPath(), TZ: "UTC" };

  private constructor(readonly port: number) {
    super("mariadb");
  }

  static async start(): Promise<MariadbServer> {
    const port = await freePort();
    const server = new MariadbServer(port!);
    await server.#initialize();
    await server.up();
    return server;
  }

  /** What connectors of SQL are configured with to use it. */
  get config(): Record<string, string> {
    return {
      "connection.url": `mysql://127.0.0.1:${this.port}/shop`,
      "connection.user": USER,
      "connection.password": PASSWORD,
    };
  }

  /** Another client of it. */
  client(): Bun.SQL {
    return new Bun.SQL({
      adapter: "mysql",
      hostname: "127.0.0.1",
      port: this.port,
      username: USER,
      password: PASSWORD,
      database: "shop",
      max: 1,
    });
  }

  protected override spawn(): Bun.Subprocess {
    return Bun.spawn([
      PACKAGES.path("usr/sbin/mariadbd"),
      ...["--no-defaults", `--basedir=${PACKAGES.path("usr")}`, "--bind-address=127.0.0.1"],
      ...[`--datadir=${join(this.folder, "data")}`, `--port=${this.port}`],
      ...[`--socket=${join(this.folder, "socket")}`, "--innodb-flush-log-at-trx-commit=2"],
      ...process.getuid?.() === 0 ? ["--user=root"] : [],
    ], { env: this.#environment, stdout: "ignore", stderr: "ignore" });
  }

  async #initialize(): Promise<void> {
    const owner = process.getuid?.() === 0 ? ["--user=root"] : [];
    await runOk([
      PACKAGES.path("usr/bin/mariadb-install-db"),
      ...["--no-defaults", `--basedir=${PACKAGES.path("usr")}`, "--skip-test-db", ...owner],
      ...[`--datadir=${join(this.folder, "data")}`, "--auth-root-authentication-method=normal"],
    ], { env: this.#environment });
    const statements = [
      "CREATE DATABASE shop",
      "FLUSH PRIVILEGES",
      `CREATE USER '${USER}'@'%' IDENTIFIED BY '${PASSWORD}'`,
      `GRANT ALL ON *.* TO '${USER}'@'%'`,
    ];
    await runOk([
      PACKAGES.path("usr/sbin/mariadbd"),
      ...["--no-defaults", `--basedir=${PACKAGES.path("usr")}`, "--bootstrap", ...owner],
      `--datadir=${join(this.folder, "data")}`,
    ], { env: this.#environment, input: `${statements.join(";\n")};\n` });
  }

  protected override async answers(): Promise<boolean> {
    const client = this.client();
    try {
      await client.unsafe("SELECT 1");
      return true;
    } catch {
      return false;
    } finally {
      await client.close({ timeout: 0 });
    }
  }
}
