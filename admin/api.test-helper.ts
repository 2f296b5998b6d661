/** The admin app of a real broker, asked without a port. */
import { hc } from "hono/client";
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import type { NewTopic } from "../broker/plan-topics.ts";
import { type BrokerOptions, type RunningBroker, startBroker } from "../broker/start-broker.ts";
import type { AdminApi } from "./api.ts";
import { adminApp } from "./app.ts";
import type { ConnectLink } from "./connect-link.ts";
import { adminServices } from "./services.ts";
import type { StreamsLink } from "./stream-apps/streams-link.ts";

/** What a request came to. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** See the head of the file. `stop` it. */
export class ApiWorld {
  /** The typed client. */
  readonly api: ReturnType<typeof hc<AdminApi>>;
  readonly #app: ReturnType<typeof adminApp>;
  readonly #services: ReturnType<typeof adminServices>;

  private constructor(
    readonly running: RunningBroker,
    connect: ConnectLink | null,
    streams: StreamsLink | null,
  ) {
    const siblings = () => Promise.resolve([]);
    const pages = () => Promise.resolve(null);
    this.#services = adminServices(running, pages, "1", siblings, connect, streams);
    this.#app = adminApp(this.#services, "localhost", null);
    this.api = hc<AdminApi>("http://localhost", {
      headers: { "x-kstream-request": "1" },
      fetch: (input: string | URL | Request, init?: RequestInit) => this.fetch(input, init),
    });
  }

  /** What the app answers. */
  get routes(): readonly { readonly method: string; readonly path: string }[] {
    return this.#app.routes;
  }

  static async start(
    options: Partial<BrokerOptions> = {},
    connect: ConnectLink | null = null,
    streams: StreamsLink | null = null,
  ): Promise<ApiWorld> {
    const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 27 }) };
    return new ApiWorld(
      await startBroker({ io, logger: silentLogger, dataDir: "/data", ...options }),
      connect,
      streams,
    );
  }

  /** As the server would: with the name of this host, from this host. */
  async fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const request = new Request(input, init);
    request.headers.set("host", "localhost");
    return await this.#app.fetch(request, { peer: { host: "127.0.0.1", port: 1 } });
  }

  /** Sends JSON. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const answer = await this.fetch(`http://localhost${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  async stop(): Promise<void> {
    this.#services.close();
    await this.running.stop();
  }
}

/** A topic that a broker starts with. */
export function topic(name: string, partitions = 1): NewTopic {
  return {
    name,
    numPartitions: partitions,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  };
}
