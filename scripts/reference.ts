/**
 * Writes what is made from the command tree: `bun scripts/reference.ts man DIR` the man pages, `docs`
 * docs/commands.md, docs/metrics.md from the registry of metrics, and docs/connectors.md from the connectors.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { connectorsMarkdown } from "./reference/connectors.ts";
import { metricsMarkdown } from "./reference/metrics.ts";
import { manPages } from "./reference/man.ts";
import { commandsMarkdown } from "./reference/markdown.ts";
import { referencePages } from "./reference/pages.ts";

const [what, directory = "dist/man"] = process.argv.slice(2);
const pages = await referencePages();
if (what === "man") {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of manPages(pages, manifest.version)) {
    writeFileSync(join(directory, name), text);
  }
} else if (what === "docs") {
  writeFileSync("docs/commands.md", commandsMarkdown(pages));
  writeFileSync("docs/metrics.md", metricsMarkdown());
  writeFileSync("docs/connectors.md", await connectorsMarkdown());
} else {
  console.error("say man or docs");
  process.exitCode = 2;
}
