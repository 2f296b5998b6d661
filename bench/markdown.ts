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
