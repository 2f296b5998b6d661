/** What commands there are, each loaded when it is asked for. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { addSharedOptions } from "./shared-options.ts";

/** A command before it is loaded. */
export interface CommandEntry {
  readonly name: string;
  /** As in `kstream --help`. */
  readonly summary: string;
  load(): Promise<CommandUnknownOpts>;
}

/** The subcommands in the order of `kstream --help`. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "serve",
    summary: "run a broker",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  {
    name: "topic",
    summary: "create, list, describe, alter, delete and restore topics",
    load: async () => (await import("./topic.ts")).topicCommand(),
  },
  {
    name: "produce",
    summary: "write records to a topic, one per line of the input",
    load: async () => (await import("./produce.ts")).produceCommand(),
  },
  {
    name: "consume",
    summary: "print the records of a topic",
    load: async () => (await import("./consume.ts")).consumeCommand(),
  },
  {
    name: "connect",
    summary: "move data between topics and other systems",
    load: async () => (await import("./connect.ts")).connectCommand(),
  },
  {
    name: "stream",
    summary: "process streams of records with applications in TypeScript",
    load: async () => (await import("./stream.ts")).streamCommand(),
  },
  {
    name: "group",
    summary: "list, describe, seek and delete groups of every type",
    load: async () => (await import("./group.ts")).groupCommand(),
  },
  {
    name: "wait",
    summary: "wait for a cluster, a topic, a group or records",
    load: async () => (await import("./wait.ts")).waitCommand(),
  },
  {
    name: "expect",
    summary: "check that the records of a topic are as expected",
    load: async () => (await import("./expect.ts")).expectCommand(),
  },
  {
    name: "txn",
    summary: "list, describe and abort transactions, and find those that hang",
    load: async () => (await import("./txn.ts")).txnCommand(),
  },
  {
    name: "config",
    summary: "get, set and unset configs of brokers, topics, groups and client metrics",
    load: async () => (await import("./config.ts")).configCommand(),
  },
  {
    name: "acl",
    summary: "list, add, remove and test rules of access",
    load: async () => (await import("./acl.ts")).aclCommand(),
  },
  {
    name: "quota",
    summary: "list, set and unset quotas of users, client ids and addresses",
    load: async () => (await import("./quota.ts")).quotaCommand(),
  },
  {
    name: "user",
    summary: "list users, set their passwords and delete them",
    load: async () => (await import("./user.ts")).userCommand(),
  },
  {
    name: "cluster",
    summary: "see how a cluster is, take brokers out, start one here, move a node into one",
    load: async () => (await import("./cluster.ts")).clusterCommand(),
  },
  {
    name: "clients",
    summary: "list who is connected to a broker, and what they do",
    load: async () => (await import("./clients.ts")).clientsCommand(),
  },
  {
    name: "doctor",
    summary: "say what is wrong with a cluster or a group, and what to do",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  {
    name: "bench",
    summary: "measure throughput and latency of a cluster",
    load: async () => (await import("./bench.ts")).benchCommand(),
  },
  {
    name: "top",
    summary: "watch topics with their rates, and groups with their lag",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  {
    name: "inspect",
    summary: "decode what is in a data directory",
    load: async () => (await import("./inspect.ts")).inspectCommand(),
  },
  {
    name: "dev",
    summary: "order faults from a broker and move its clock, for tests of clients",
    load: async () => (await import("./dev.ts")).devCommand(),
  },
  {
    name: "generate",
    summary: "print a dashboard for Grafana, and alerting rules for Prometheus",
    load: async () => (await import("./generate.ts")).generateCommand(),
  },
  {
    name: "profile",
    summary: "keep clusters by name: where they are, how to get in, defaults",
    load: async () => (await import("./profile.ts")).profileCommand(),
  },
  {
    name: "settings",
    summary: "explain where the options of a command have their values from",
    load: async () => (await import("./settings-command.ts")).settingsCommand(),
  },
  {
    name: "completion",
    summary: "print what makes a shell complete commands, topics and groups",
    load: async () => (await import("./completion.ts")).completionCommand(),
  },
];

/** The command with what all commands have. */
export async function loadCommand({ load }: CommandEntry): Promise<CommandUnknownOpts> {
  const command = await load();
  addSharedOptions(command);
  return command;
}

/** Adds all commands to a program: the named one loaded, the others as their help shows them. */
export async function addCommands(program: CommandUnknownOpts, loaded: string): Promise<void> {
  for (const entry of COMMANDS) {
    if (entry.name === loaded) program.addCommand(await loadCommand(entry));
    else program.command(entry.name).description(entry.summary);
  }
}

/** The whole tree, for what is about all commands. */
export async function loadTree(): Promise<CommandUnknownOpts> {
  const root: CommandUnknownOpts = new Command("kstream");
  for (const command of await Promise.all(COMMANDS.map(loadCommand))) root.addCommand(command);
  return root;
}

/** The commands that do something: those without subcommands. */
export function leavesOf(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** `kstream topic create`. */
export function pathOf(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
