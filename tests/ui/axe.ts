/** axe-core in a page: what keeps people with other senses or hands from using it. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

const SOURCE = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8");

/** What of the answer is used. */
interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** The serious and critical findings by the rules of WCAG 2.2 A and AA, one line each. */
export async function violationsOf(page: Page): Promise<string[]> {
  // By the debugger, which the page's own policy does not bind.
  await page.evaluate(SOURCE);
  const found: readonly Violation[] = await page.evaluate(`axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations"],
  }).then(({ violations }) => violations)`);
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => {
      const where = nodes.slice(0, 3).map(({ html, failureSummary }) => {
        return `${html.slice(0, 120)} ${failureSummary?.replace(/\s+/g, " ").slice(0, 200) ?? ""}`;
      });
      return `${id}: ${help}: ${where.join(" | ")}`;
    });
}
