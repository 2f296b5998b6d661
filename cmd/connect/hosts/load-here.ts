/** A connector for a command that runs it alone, in this process. */
import type { ConnectorDefinition } from "../../../connect/connector.ts";
import { LEASE_ALONE_MS, pluginsAndHosts } from "./worker-hosts.ts";

/** Throws `ConfigError` where there is none of this name, and what the module throws. */
export async function loadHere(
  name: string,
  folder: string | undefined,
): Promise<ConnectorDefinition> {
  const { plugins } = await pluginsAndHosts(
    { plugins: folder, allowExec: true },
    { leaseMs: LEASE_ALONE_MS },
  );
  const module = plugins.find(name)?.module;
  if (module === undefined) return await plugins.load(name);
  return await (await import("./load-module.ts")).loadModule(module);
}
