/**
 * Colours: few, and only where a person looks on. `--color always` and `never` decide; with `auto`
 * NO_COLOR (not empty) means never, FORCE_COLOR (not empty, 0 or false) always, TERM=dumb never, else
 * a terminal has them and a pipe or a file has none (no-color.org, force-color.org).
 */
import { styleText } from "node:util";

/** What `--color` takes. */
export const COLOR_MODES = ["auto", "always", "never"] as const;
type ColorMode = (typeof COLOR_MODES)[number];

/** What is told by a colour; it is in the words too. */
export type Tone = "title" | "good" | "notice" | "bad";

const STYLES = { title: "bold", good: "green", notice: "yellow", bad: "red" } as const;

let mode: ColorMode = "auto";

/** Sets what `--color` says, from now on; other texts change nothing. */
export function chooseColor(text: unknown): void {
  mode = COLOR_MODES.find((known) => known === text) ?? mode;
}

/** What `--color` says on a command line that is not parsed yet: its mistakes are coloured too. */
export function colorOfArguments(argv: readonly string[]): string | null {
  const at = argv.findLastIndex((word) => word === "--color" || word.startsWith("--color="));
  if (at < 0) return null;
  return argv[at] === "--color" ? argv[at + 1] ?? null : argv[at]!.slice("--color=".length);
}

/** The text in the colour of the tone, if the stream has colours. */
export function paint(tone: Tone, text: string, stream: "stdout" | "stderr" = "stdout"): string {
  if (text === "" || !hasColor(process[stream].isTTY)) return text;
  return styleText(STYLES[tone], text, { validateStream: false });
}

/** Whether a stream has colours. */
export function hasColor(isTerminal: boolean): boolean {
  if (mode !== "auto") return mode === "always";
  const { NO_COLOR: no = "", FORCE_COLOR: force = "", TERM: term = "" } = process.env;
  if (no !== "") return false;
  if (force !== "") return force !== "0" && force !== "false";
  return isTerminal && term !== "dumb";
}
