/** Figures as Markdown. */
import type { Spread } from "./measure.ts";

/** Median, minimum and maximum. */
export const spreadText = ({ min, median, max }: Spread, digits = 2) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;

/** Lines of cells, below a head. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** In `docs/benchmarks.md`, behind what `bench/table.ts` writes. */
export const HANDWRITTEN =
  "<!-- From here on it is written by hand, and bench/table.ts leaves it. -->";

/** A page whose first part is that, and whose rest is as it was. Throws where it does not say what that is. */
export function beforeHandwritten(first: string, page: string): string {
  const at = page.indexOf(HANDWRITTEN);
  if (at < 0) throw new Error(`the page has no line: ${HANDWRITTEN}`);
  return `${first.trimEnd()}\n\n${page.slice(at)}`;
}
