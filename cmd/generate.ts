/** `kstream generate`: files for other programs, from what kstream knows of itself. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { print } from "./output.ts";

/** The command. */
export function generateCommand(): CommandUnknownOpts {
  return new Command("generate")
    .description("Print files for other programs: a dashboard for Grafana, rules for Prometheus.")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Examples:
  kstream generate dashboard > kstream.json
  kstream generate alerts > kstream-rules.yaml`,
    )
    .addCommand(dashboardCommand())
    .addCommand(alertsCommand());
}

function dashboardCommand() {
  return new Command("dashboard")
    .description("Print a dashboard for Grafana, to be imported there.")
    .option("--datasource <uid>", "the Prometheus that it asks (default: chosen in the page)")
    .addHelpText(
      "after",
      `
Examples:
  kstream generate dashboard > kstream.json
  kstream generate dashboard --datasource prom1 > kstream.json`,
    )
    .action(async ({ datasource }) => {
      const { dashboard } = await import("./generate/dashboard.ts");
      await print(dashboard(datasource ?? null));
    });
}

function alertsCommand() {
  return new Command("alerts")
    .description("Print alerting rules for Prometheus.")
    .option("--job <name>", "the job of the brokers in Prometheus", "kstream")
    .addHelpText(
      "after",
      `
Examples:
  kstream generate alerts > kstream-rules.yaml
  kstream generate alerts --job kafka | promtool check rules`,
    )
    .action(async ({ job }) => {
      const { alertRules } = await import("./generate/alerts.ts");
      await print(alertRules(job));
    });
}
