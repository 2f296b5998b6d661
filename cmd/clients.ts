/** `kstream clients`: the command line; what it does is in `clients/list.ts`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { adminUrlOption } from "./admin-client.ts";
import { jsonOption, timeoutOption } from "./admin-command.ts";

const EXAMPLES = `
One line per connection: rates are of the last ten seconds. It asks the broker's admin API, which
only kstream has.

Examples:
  kstream clients
  kstream clients --topic orders
  kstream clients --json --admin http://127.0.0.1:8081`;

/** The command. */
export function clientsCommand(): CommandUnknownOpts {
  return new Command("clients")
    .description("List who is connected to a broker, and what they do.")
    .option("-t, --topic <name>", "only those that produce to or fetch from this topic")
    .option("-i, --client-id <id>", "only those of this client id")
    .addOption(jsonOption())
    .addOption(adminUrlOption())
    .addOption(timeoutOption())
    .addHelpText("after", EXAMPLES)
    .action(async (options) => (await import("./clients/list.ts")).listClients(options));
}
