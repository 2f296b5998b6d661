/** The admin app over a broker in this process, without a port. */
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { adminApp, type AdminEnv } from "./app.ts";
import { adminServices } from "./services.ts";

const PEER = { host: "127.0.0.1", port: 4242 };

/** A broker and its app. */
export interface TestApp {
  readonly running: RunningBroker;
  /** Sends a request; `init.duplex` is set where the body streams. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** The app as a server calls it. */
  readonly fetch: (request: Request, env: AdminEnv["Bindings"]) => Promise<Response>;
  stop(): Promise<void>;
}

/** Starts both; `topics`: names with their numbers of partitions. */
export async function startTestApp(
  topics: Readonly<Record<string, number>>,
  configs: Readonly<Record<string, readonly { name: string; value: string }[]>> = {},
): Promise<TestApp> {
  const io = bunIo();
  const disk = new MemoryDisk({ wallMs: () => io.clock.wallMs(), maxBytes: 1 << 28 });
  const running = await startBroker({
    io: { ...io, disk },
    logger: silentLogger,
    dataDir: "/data",
    topics: Object.entries(topics).map(([name, numPartitions]) => ({
      name,
      numPartitions,
      replicationFactor: 1,
      assignments: [],
      configs: [...configs[name] ?? []],
    })),
  });
  const services = adminServices(
    running,
    () => Promise.reject(new Error("no pages here")),
    "1.2.3",
  );
  const app = adminApp(services, "127.0.0.1", null);
  return {
    running,
    fetch: async (request, env) => await app.fetch(request, env),
    ask: async (path, init = {}) => {
      const headers = new Headers(init.headers);
      headers.set("host", "127.0.0.1");
      const request = new Request(`http://127.0.0.1${path}`, { ...init, headers });
      return await app.fetch(request, { peer: PEER });
    },
    stop: async () => {
      services.close();
      await running.stop();
    },
  };
}
