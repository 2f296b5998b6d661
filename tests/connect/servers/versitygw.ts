/** versitygw, an S3 server over a folder: built from its Go module into the cache, once. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../../compat/install.ts";
import { freePort } from "../../harness/free-ports.ts";
import { run } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const VERSION = "v1.8.0";
const FOLDER = join(CACHE, `versitygw-${VERSION}`);
const PROGRAM = join(FOLDER, "versitygw");
const BUILD_TIMEOUT_MS = 900_000;

/** Null if it is there, else why it cannot be had. */
export async function needVersitygw(): Promise<string | null> {
  if (existsSync(PROGRAM)) return null;
  if (Bun.which("go") === null) return "needs Go";
  mkdirSync(FOLDER, { recursive: true });
  const built = await run(
    ["go", "install", `github.com/versity/versitygw/cmd/versitygw@${VERSION}`],
    { timeoutMs: BUILD_TIMEOUT_MS, env: { GOBIN: FOLDER } },
  );
  return built.exitCode === 0 ? null : `versitygw could not be built: ${built.stderr.slice(-500)}`;
}

/** A server with an empty bucket. */
export class S3Server extends ServerProcess {
  private constructor(readonly port: number) {
    super("versitygw");
    mkdirSync(join(this.folder, "lake"));
  }

  static async start(): Promise<S3Server> {
    const port = await freePort();
    const server = new S3Server(port!);
    await server.up();
    return server;
  }

  /** What connectors are configured with to use it. */
  get config(): Record<string, string> {
    return {
      "store.url": `http://127.0.0.1:${this.port}`,
      "s3.bucket.name": "lake",
      "aws.access.key.id": "tester",
      "aws.secret.access.key": "s3cret-key",
    };
  }

  /** Another client of it. */
  client(): Bun.S3Client {
    return new Bun.S3Client({
      endpoint: this.config["store.url"]!,
      bucket: "lake",
      region: "us-east-1",
      accessKeyId: "tester",
      secretAccessKey: "s3cret-key",
    });
  }

  protected override spawn(): Bun.Subprocess {
    return Bun.spawn(
      [PROGRAM, "--port", `127.0.0.1:${this.port}`, "--quiet", "posix", this.folder],
      {
        env: { ...process.env, ROOT_ACCESS_KEY: "tester", ROOT_SECRET_KEY: "s3cret-key" },
        stdout: "ignore",
        stderr: "ignore",
      },
    );
  }

  protected override answers(): Promise<boolean> {
    return this.client().list({ maxKeys: 1 }).then(() => true, () => false);
  }
}
