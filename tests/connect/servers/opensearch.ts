/** OpenSearch's server, of its jars from Maven Central, begun by a small Java program. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE, fetchJars } from "../../compat/install.ts";
import { freePorts } from "../../harness/free-ports.ts";
import { run } from "../../harness/process.ts";
import { ServerProcess } from "./server-process.ts";

const VERSION = "2.19.3";
const SOURCES = join(import.meta.dir, "opensearch");
const FOLDER = join(CACHE, `opensearch-${VERSION}`);
const LIBS = join(FOLDER, "libs");
const CLASSES = join(FOLDER, "classes");
const START_TIMEOUT_MS = 90_000;

/** Null if it is there, else why it cannot be had. */
export async function needOpenSearch(): Promise<string | null> {
  const stamp = join(FOLDER, ".complete");
  const reason = await fetchJars(join(SOURCES, "pom.xml"), LIBS, stamp, "OpenSearch's jars");
  if (reason !== null || existsSync(join(CLASSES, ".complete"))) return reason;
  mkdirSync(CLASSES, { recursive: true });
  const source = join(SOURCES, "OpenSearchServer.java");
  const command = ["javac", "-nowarn", "-d", CLASSES, "-cp", join(LIBS, "*"), source];
  const compiled = await run(command, { timeoutMs: 120_000 });
  if (compiled.exitCode !== 0) return compiled.stderr;
  writeFileSync(join(CLASSES, ".complete"), "");
  return null;
}

/** A node with nothing in it. */
export class OpenSearchServer extends ServerProcess {
  private constructor(readonly port: number, readonly transportPort: number) {
    super("opensearch", START_TIMEOUT_MS);
    mkdirSync(join(this.folder, "config"));
  }

  static async start(): Promise<OpenSearchServer> {
    const [port, transportPort] = await freePorts(2);
    const server = new OpenSearchServer(port!, transportPort!);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Another client of it: what it answers, as JSON. */
  async ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(this.url + path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: Record<string, unknown> = await response.json();
    return answer;
  }

  /** The documents of an index by their ids; more than 10,000 only where the index allows for it. */
  async documents(index: string, max = 10_000): Promise<Record<string, unknown>> {
    await this.ask("POST", `/${index}/_refresh`);
    const answer = await this.ask("POST", `/${index}/_search?size=${max}`, {
      query: { match_all: {} },
      sort: ["_doc"],
    });
    // As the search API answers.
    const { hits } = answer["hits"] as { hits: { _id: string; _source: unknown }[] };
    return Object.fromEntries(hits.map(({ _id, _source }) => [_id, _source]));
  }

  protected override spawn(): Bun.Subprocess {
    const classPath = [CLASSES, join(LIBS, "*")].join(":");
    return Bun.spawn([
      ...["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classPath],
      ...["OpenSearchServer", this.folder, String(this.port), String(this.transportPort)],
    ], { stdout: "ignore", stderr: "ignore" });
  }

  protected override answers(): Promise<boolean> {
    return this.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s").then(
      (answer) => answer["timed_out"] === false,
      () => false,
    );
  }
}
