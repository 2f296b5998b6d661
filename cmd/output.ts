/** What commands write for people and scripts: text, JSON and tables that fit the terminal. */
import { paint, type Tone } from "./color.ts";
import { writeStdout } from "./stdout.ts";

/**
 * Writes to stdout and waits until it is taken. A reader that has gone (`| head`) is no error.
 * Throws `OperatorError`: a full disk.
 */
export async function print(text: string): Promise<void> {
  if (text !== "") await writeStdout(new TextEncoder().encode(text));
}

/** Prints a document for scripts; the schemas are in docs/json.md. */
export async function printJson(document: unknown): Promise<void> {
  await print(JSON.stringify(document, null, 2) + "\n");
}

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  /** The text of a cell; null is shown as "-". */
  cell(row: Row): string | number | bigint | null;
  /** Numbers stand right. */
  readonly right?: boolean;
  /** Is of no use when it is cut. */
  readonly whole?: boolean;
  /** What the cell tells by its colour; null for none. */
  tone?(row: Row): Tone | null;
}

const GAP = "  ";
const SHORTEST_CELL = 8;

/**
 * A table with a line of titles; columns stand below one another. Where `widthMax` is given (a
 * terminal's), the widest text columns that may be are cut with "…" until lines fit; a pipe gets all. Where
 * that is not enough, each row becomes lines of a title and a whole text, as in `formatFacts`.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  widthMax: number = terminalWidth(),
): string {
  const cells = rows.map((row) => columns.map((column) => visible(column.cell(row))));
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...cells.map((line) => Bun.stringWidth(line[i]!)))
  );
  const over = () => widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length);
  while (over() > widthMax) {
    const cuttable = columns.map(({ right, whole }, i) => right || whole ? 0 : widths[i]!);
    const widest = cuttable.indexOf(Math.max(...cuttable));
    if (cuttable[widest]! <= SHORTEST_CELL) break;
    widths[widest]!--;
  }
  if (over() > widthMax && rows.length === 0 && columns.length > 1) {
    return formatTable(rows, columns.slice(0, -1), widthMax);
  }
  if (over() > widthMax) {
    const titles = columns.map(({ title }) => title.trim());
    const factsOf = (texts: readonly string[]) =>
      texts.map((text, i) => [titles[i]!, text.trim()] as const);
    return cells.map((texts) => formatFacts(factsOf(texts), widthMax)).join("\n");
  }
  const line = (texts: readonly string[], toneOf: (column: number) => Tone | null) => {
    const last = texts.findLastIndex((text) => text.trim() !== "");
    return texts.slice(0, last + 1).map((text, i) => {
      const cut = cutToWidth(text, widths[i]!);
      const tone = toneOf(i);
      const shown = tone === null ? cut : paint(tone, cut);
      const blanks = " ".repeat(widths[i]! - Bun.stringWidth(cut));
      if (columns[i]!.right) return blanks + shown;
      return i === last ? shown.trimEnd() : shown + blanks;
    }).join(GAP) + "\n";
  };
  return line(columns.map(({ title }) => title), () => "title") +
    cells.map((texts, i) => line(texts, (j) => columns[j]!.tone?.(rows[i]!) ?? null)).join("");
}

/**
 * Lines of a name and a text each, the texts below one another. A text that is longer than the
 * terminal is wide goes on below itself, broken between words where it has any; a pipe gets it whole.
 */
export function formatFacts(
  facts: readonly (readonly [name: string, text: string])[],
  widthMax: number = terminalWidth(),
): string {
  const indent = Math.max(...facts.map(([name]) => name.length)) + 2 * GAP.length;
  const textWidth = Math.max(SHORTEST_CELL, widthMax - indent);
  return facts.flatMap(([name, text]) =>
    wrap(visible(text), textWidth).map((line, i) =>
      GAP + (i === 0
        ? paint("title", name) + " ".repeat(indent - GAP.length - name.length)
        : " ".repeat(indent - GAP.length)) +
      line + "\n"
    )
  ).join("");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    lines.push(rest.slice(0, space > 0 ? space : width));
    rest = rest.slice(space > 0 ? space + 1 : width);
  }
  return [...lines, rest];
}

/** The text, or with "…" as much of it as the terminal shows in `width` columns. */
export function cutToWidth(text: string, width: number): string {
  if (width === Infinity || Bun.stringWidth(text) <= width) return text;
  let shown = "";
  let taken = 1;
  for (const { segment } of new Intl.Segmenter("en").segment(text.slice(0, width * 4))) {
    taken += Bun.stringWidth(segment);
    if (taken > width) break;
    shown += segment;
  }
  return `${shown}…`;
}

/** `1 partition`, `3 partitions`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** `0 B`, `1.2 MB`: powers of 1,000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Of standard output; Infinity for a pipe. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/** Names and client ids come from the network: control characters must not reach the terminal. */
function visible(value: string | number | bigint | null): string {
  if (value === null || value === "") return "-";
  // deno-lint-ignore no-control-regex
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
