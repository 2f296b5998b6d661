/** The connectors of a worker and where they run, as the command line has it. */
import type { Hosts } from "../../../connect/host/host.ts";
import { BUILT_IN } from "../../../connect/plugins/built-in.ts";
import { Plugins } from "../../../connect/plugins/plugins.ts";
import { say } from "../../terminal.ts";
import { clientFlags } from "./host-work.ts";
import { processHosts } from "./process-host.ts";
import { threadHosts } from "./thread-host.ts";
import { userPlugins } from "./user-plugins.ts";

/** Flags of commands that run connectors or look at them. */
export interface PluginFlags {
  readonly allowExec?: boolean | undefined;
  /** Folder of users' connectors. */
  readonly plugins?: string | undefined;
  /** Bytes. */
  readonly pluginMemory?: number | undefined;
  /** How many tasks of built-in connectors share; left out, or 0: they run with the worker. */
  readonly threads?: number | undefined;
}

/** What is not said on the command line. */
export interface HostNeeds {
  /** See `Hosts`. */
  readonly leaseMs: number;
  /** Built-in connectors have processes, too: `serve --connect`. */
  readonly isAllApart?: boolean;
  /** Variables of the environment that connectors are not to see. */
  readonly hidden?: (name: string) => boolean;
}

/** Where nobody else could take over. */
export const LEASE_ALONE_MS = 60_000;
const STALL_MS = 30_000;
const MEMORY_BYTES = 512 * 1024 * 1024;

/** See the head of the file; hosts are null where all runs in this thread. Throws `OperatorError`. */
export async function pluginsAndHosts(
  options: PluginFlags,
  { leaseMs, isAllApart = false, hidden = () => false }: HostNeeds,
): Promise<{ readonly plugins: Plugins; readonly hosts: Hosts | null }> {
  const mayRun = ({ needs }: { readonly needs?: "exec" }) =>
    needs === undefined || options.allowExec === true;
  const builtIn = BUILT_IN.filter((plugin) =>
    mayRun(plugin) && !(isAllApart && plugin.isOfTerminal === true)
  );
  const { threads = 0 } = options;
  if (options.plugins === undefined && !isAllApart && threads === 0) {
    return { plugins: new Plugins(builtIn), hosts: null };
  }
  const hosts: Hosts = {
    process: processHosts({ memoryBytesMax: options.pluginMemory ?? MEMORY_BYTES, hidden }),
    threads: threads === 0 ? null : { open: threadHosts(), max: threads },
    isAllApart,
    client: clientFlags(options),
    leaseMs,
    stallMs: STALL_MS,
  };
  const users = options.plugins === undefined
    ? []
    : await userPlugins(options.plugins, hosts, BUILT_IN, (line) =>
      say(`kstream: plugins: ${line}`));
  return { plugins: new Plugins([...builtIn, ...users.filter(mayRun)]), hosts };
}
