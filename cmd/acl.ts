/** `kstream acl`: the command line of each subcommand; what they do is in `acl/`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption } from "./admin-command.ts";

const OPERATIONS = `
Operations: all, read, write, create, delete, alter, describe, cluster-action, describe-configs,
alter-configs, idempotent-write, create-tokens, describe-tokens, two-phase-commit. Allowing read,
write, delete or alter allows describe too, and alter-configs allows describe-configs. One rule that
denies outweighs all that allow.`;

/** The command with its subcommands. */
export function aclCommand(): CommandUnknownOpts {
  const command = new Command("acl")
    .description("List, add, remove and test rules of access (ACLs).")
    .helpCommand(false);
  for (const child of [list(), add(), remove(), testRule()]) command.addCommand(child);
  return command;
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A command with the options that name a resource. */
function resourceCommand(name: string) {
  return new Command(name)
    .option("--topic <name>", "a topic; * is all")
    .option("--group <name>", "a group; * is all")
    .option("--transactional-id <id>", "a transactional id; * is all")
    .option("--cluster", "the cluster itself")
    .option("--delegation-token <id>", "a delegation token")
    .option("--user <principal>", "a user, as the owner of tokens")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption());
}

/** A command with the options that select rules. */
function filterCommand(name: string) {
  return resourceCommand(name)
    .option("-p, --principal <principal>", "only of this one, as User:alice")
    .option("-o, --operation <operation>", "only of this operation")
    .option("--host <address>", "only from this address; * are the rules for all addresses")
    .option("--allow", "only those that allow")
    .option("--deny", "only those that deny")
    .option("--prefix", "the name is that of a prefix rule")
    .option("--match", "all rules that apply to the name: its own, * and prefixes");
}

function list(): CommandUnknownOpts {
  return filterCommand("list")
    .summary("list rules")
    .description("List rules: all of them, or those that the options select.")
    .addHelpText(
      "after",
      `
Examples:
  kstream acl list
  kstream acl list --topic orders --match
  kstream acl list --principal User:alice --json`,
    )
    .action(async (options) => (await import("./acl/list.ts")).listAcls(options));
}

function add(): CommandUnknownOpts {
  return resourceCommand("add")
    .summary("add rules")
    .description("Add a rule for each principal and operation; one that is there stays.")
    .option("--allow <principal>", "who may, as User:alice; User:* is everybody", collect)
    .option("--deny <principal>", "who may not", collect)
    .requiredOption("-o, --operation <operations>", "what, with commas between")
    .option("--host <address>", "from this address only", "*")
    .option("--prefix", "everything whose name begins so")
    .addHelpText(
      "after",
      `${OPERATIONS}

Examples:
  kstream acl add --allow User:alice -o read,write --topic orders
  kstream acl add --allow User:billing -o read --group billing- --prefix
  kstream acl add --deny User:* -o delete --topic '*'`,
    )
    .action(async (options) => (await import("./acl/add.ts")).addAcls(options));
}

function remove(): CommandUnknownOpts {
  return filterCommand("remove")
    .summary("remove rules")
    .description("Remove the rules that the options select, and show them.")
    .option("--all", "remove every rule there is")
    .option("--dry-run", "only show what would be removed")
    .addHelpText(
      "after",
      `
Examples:
  kstream acl remove --topic orders --principal User:alice
  kstream acl remove --principal User:alice --dry-run`,
    )
    .action(async (options) => (await import("./acl/remove.ts")).removeAcls(options));
}

function testRule(): CommandUnknownOpts {
  return resourceCommand("test")
    .summary("say who may do what, and by which rule")
    .description(
      "Say whether a principal may do something, and which rule decides. Ends with 1 if not.",
    )
    .requiredOption("-p, --principal <principal>", "who, as User:alice")
    .requiredOption("-o, --operation <operation>", "what")
    .option("--host <address>", "from where", "127.0.0.1")
    .addHelpText(
      "after",
      `${OPERATIONS}

Examples:
  kstream acl test --principal User:alice -o write --topic orders
  kstream acl test --principal User:ANONYMOUS -o describe --cluster`,
    )
    .action(async (options) => (await import("./acl/test.ts")).testAcl(options));
}
