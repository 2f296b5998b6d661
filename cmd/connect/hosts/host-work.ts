/** What a host does: a worker of the built-in connectors, or of one module. */
import type { HostSetup } from "../../../connect/host/host.ts";
import type { HostWork, ServeHostOptions } from "../../../connect/host/serve-host.ts";
import { ServedHost } from "../../../connect/host/serve-host.ts";
import { BUILT_IN } from "../../../connect/plugins/built-in.ts";
import { describe } from "../../../connect/plugins/told-definition.ts";
import { type Plugin, Plugins } from "../../../connect/plugins/plugins.ts";
import { LocalWorker } from "../../../connect/worker/local-worker.ts";
import { pipelineOf } from "../../../connect/worker/pipeline-of.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import { clientIo, clientOptions } from "../../client.ts";
import { ownSecrets } from "../worker-parts.ts";

/** Serves the worker at the other end. */
export function serveWork(ends: Pick<ServeHostOptions, "send" | "exit">): ServedHost {
  return new ServedHost({ ...ends, clock: clientIo.clock, open });
}

async function open(
  setup: HostSetup,
  parts: Parameters<ServeHostOptions["open"]>[1],
): Promise<HostWork> {
  const { groupId, offsetFlushIntervalMs, taskShutdownTimeoutMs, isOffline } = setup;
  const module = setup.module === null ? null : await moduleOf(setup.module);
  const { client } = setup;
  const isConnected = typeof client["brokers"] === "string";
  const worker = new LocalWorker({
    world: {
      io: clientIo,
      client: isConnected ? clientOptions(flagsOf(client)) : { brokers: [] },
      codecs: bunCodecs,
      offsets: parts.offsets,
      log: parts.log,
      settings: { groupId, offsetFlushIntervalMs, taskShutdownTimeoutMs },
    },
    // Whether commands may be run has been decided by who asks for this.
    plugins: module === null ? new Plugins(BUILT_IN) : new AnyName(module),
    secrets: ownSecrets,
    pipelineOf,
    isOffline,
    listener: parts.listener,
  });
  return { worker, describe: async () => module === null ? null : describe(await module.load()) };
}

async function moduleOf(path: string): Promise<Plugin> {
  const { loadModule } = await import("./load-module.ts");
  const definition = await loadModule(path);
  const { name, kind, aliases = [] } = definition;
  return { name, kind, aliases, load: () => Promise.resolve(definition) };
}

/** The one module, by whatever name the worker knows it. */
class AnyName extends Plugins {
  constructor(private readonly only: Plugin) {
    super([only]);
  }

  override find(): Plugin {
    return this.only;
  }
}

const TEXTS = [
  ...["tlsCa", "tlsCert", "tlsKey", "tlsServerName", "saslMechanism", "saslUser"],
  ...["saslPassword", "saslPasswordFile", "saslToken", "saslTokenFile"],
] as const;

/** Flags of the command line that say how brokers are reached. */
export function clientFlags(options: object): HostSetup["client"] {
  const names: readonly string[] = ["brokers", "timeout", "tls", "tlsInsecure", ...TEXTS];
  const given = Object.entries(options).filter(([name]) => names.includes(name));
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function flagsOf(client: HostSetup["client"]): Parameters<typeof clientOptions>[0] {
  const texts = TEXTS.flatMap((name) => {
    const value = client[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return {
    brokers: String(client["brokers"]),
    timeout: Number(client["timeout"]),
    ...(client["tls"] === true && { tls: true }),
    ...(client["tlsInsecure"] === true && { tlsInsecure: true }),
    ...Object.fromEntries(texts),
  };
}
