/** Connectors of users: each module is loaded once, in a process of its own, to be asked what it is. */
import type { Hosts } from "../../../connect/host/host.ts";
import { HostedWorker } from "../../../connect/host/hosted-worker.ts";
import { MemoryOffsetStore } from "../../../connect/offsets/memory-offset-store.ts";
import { describedDefinition } from "../../../connect/plugins/told-definition.ts";
import type { Plugin } from "../../../connect/plugins/plugins.ts";
import { silentLogger } from "../../../core/logger.ts";
import { clientIo } from "../../client.ts";
import { type FoundModule, modulesIn } from "./plugin-dir.ts";

/** How long a module may take to be loaded. */
const LOAD_MS = 15_000;
const AT_ONCE = 4;

/**
 * The connectors of a folder. What is none is left out, and `warn` says why. Throws an `OperatorError`
 * where there is no such folder.
 */
export async function userPlugins(
  folder: string,
  hosts: Hosts,
  builtIn: readonly Plugin[],
  warn: (line: string) => void,
): Promise<Plugin[]> {
  const modules = modulesIn(folder);
  const plugins: Plugin[] = [];
  const names = new Set(builtIn.flatMap(({ name, aliases }) => [name, ...aliases]).map(lower));
  for (let i = 0; i < modules.length; i += AT_ONCE) {
    const some = await Promise.all(
      modules.slice(i, i + AT_ONCE).map(async (module) => {
        try {
          return await pluginOf(module, hosts);
        } catch (error) {
          const [why = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
          warn(`${module.path} is left out: ${why}`);
          return null;
        }
      }),
    );
    for (const plugin of some) {
      if (plugin === null) continue;
      if (names.has(lower(plugin.name))) {
        warn(`${plugin.module} is left out: there is another connector "${plugin.name}"`);
        continue;
      }
      const aliases = plugin.aliases.filter((alias) => !names.has(lower(alias)));
      for (const name of [plugin.name, ...aliases]) names.add(lower(name));
      plugins.push({ ...plugin, aliases });
    }
  }
  return plugins.sort((a, b) => a.name < b.name ? -1 : 1);
}

const lower = (name: string) => name.toLowerCase();

async function pluginOf({ path, names }: FoundModule, hosts: Hosts): Promise<Plugin> {
  const host = new HostedWorker({
    open: hosts.process,
    setup: {
      module: path,
      client: {},
      groupId: "",
      offsetFlushIntervalMs: 1,
      taskShutdownTimeoutMs: 1,
      transactionalTopic: null,
      isOffline: true,
      leaseMs: hosts.leaseMs,
    },
    stallMs: LOAD_MS,
    world: { io: clientIo, offsets: new MemoryOffsetStore(), log: silentLogger },
    listener: { connector: () => {}, task: () => {}, changed: () => {}, topic: () => {} },
  });
  const timer = clientIo.clock.setTimer(LOAD_MS, () => {
    host.kill(`it has not been loaded within ${LOAD_MS / 1000} s`);
  });
  try {
    const definition = describedDefinition(await host.describe());
    const { name, kind, aliases = [], needs } = definition;
    return {
      ...{ name, kind, aliases: [...aliases, ...names], module: path },
      ...(needs !== undefined && { needs }),
      load: () => Promise.resolve(definition),
    };
  } finally {
    timer.cancel();
    host.kill("it has said what it is");
    await host.ended;
  }
}
