/** How `--help` looks: what it mentions of options, and how it fits narrow terminals. */
import { Help } from "@commander-js/extra-typings";
import type { Option } from "@commander-js/extra-typings";
import { paint } from "./color.ts";

const INDENT = "  ";
const GAP = "  ";
/** Where less is left beside the terms, descriptions stand below them. */
const DESCRIPTION_WIDTH_MIN = 24;
const BELOW_WIDTH_MIN = 16;

/** For commander's `configureHelp`. */
export const HELP = {
  minWidthToWrap: 1,
  styleTitle: (title: string) => paint("title", title),

  /** Help does not mention that a list is empty, or a flag off, unless told otherwise. */
  optionDescription(this: Help, option: Option): string {
    const { defaultValue } = option;
    const isEmpty = defaultValue === false || (typeof defaultValue === "object" &&
      defaultValue !== null && Object.keys(defaultValue).length === 0);
    const shown: Option = isEmpty
      ? Object.create(option, { defaultValue: { value: undefined } })
      : option;
    return Help.prototype.optionDescription.call(this, shown);
  },

  formatItem(this: Help, term: string, termWidth: number, text: string, helper: Help): string {
    const width = helper.helpWidth ?? 80;
    const left = width - INDENT.length - termWidth - GAP.length;
    if (left >= DESCRIPTION_WIDTH_MIN || text === "") {
      return Help.prototype.formatItem.call(this, term, termWidth, text, helper);
    }
    const below = INDENT.repeat(4);
    const wrapped = helper.boxWrap(text, Math.max(BELOW_WIDTH_MIN, width - below.length));
    return [INDENT + term, ...wrapped.split("\n").map((line) => below + line)].join("\n");
  },
};

/**
 * Paragraphs of help with lines that are longer than the terminal is wide are broken anew. Lines that
 * begin with blanks stay: they are examples, to be copied, or tables.
 */
export function fitHelp(text: string, width: number): string {
  const wrapper = Object.assign(new Help(), { minWidthToWrap: 1 });
  const isProse = (line: string) => /^\S/.test(line);
  const lines = text.split("\n");
  const fitted: string[] = [];
  for (let at = 0; at < lines.length;) {
    let end = at + 1;
    if (isProse(lines[at]!)) { while (end < lines.length && isProse(lines[end]!)) end++; }
    const paragraph = lines.slice(at, end);
    at = end;
    const fits = paragraph.every((line) => line.length <= width || !isProse(line));
    if (fits) fitted.push(...paragraph);
    else fitted.push(wrapper.boxWrap(paragraph.join(" "), width));
  }
  return fitted.join("\n");
}
