/** Man pages in man(7)'s macros: one for `kstream`, one for each command. */
import type { Entry, Page } from "./pages.ts";

/** File name and text of each page. */
export function manPages(pages: readonly Page[], version: string): Map<string, string> {
  const files = new Map([["kstream.1", overview(pages, version)]]);
  for (const page of pages) files.set(`${dashed(page)}.1`, manPage(page, version));
  return files;
}

function manPage(page: Page, version: string): string {
  const lines = [
    ...head(dashed(page), version),
    ".SH NAME",
    `${escape(dashed(page))} \\- ${escape(brief(page.description))}`,
    ".SH SYNOPSIS",
    `.B ${escape(page.path)}`,
    escape(page.usage),
    ".SH DESCRIPTION",
    escape(page.description),
  ];
  if (page.arguments.length > 0) lines.push(".SH ARGUMENTS", ...page.arguments.flatMap(entry));
  for (const { title, options } of page.optionGroups) {
    lines.push(`.SH ${escape(title.toUpperCase())}`, ...options.flatMap(entry));
  }
  if (page.notes !== "") lines.push(".SH NOTES", ...verbatim(page.notes.split("\n")));
  if (page.examples.length > 0) lines.push(".SH EXAMPLES", ...verbatim(page.examples));
  return [...lines, ...tail()].join("\n") + "\n";
}

function overview(pages: readonly Page[], version: string): string {
  return [
    ...head("kstream", version),
    ".SH NAME",
    "kstream \\- a Kafka-compatible streaming platform in one binary",
    ".SH SYNOPSIS",
    ".B kstream",
    "<command> [options]",
    ".SH COMMANDS",
    ...pages.flatMap(({ path, description }) => entry({ name: path, text: description })),
    ".SH ENVIRONMENT",
    "Every option can be given as KSTREAM_ and its long name in capitals: \\-\\-brokers as",
    "KSTREAM_BROKERS. Flags win over the environment, that over kstream.toml, that over the profile.",
    ...entry({ name: "KSTREAM_TOML", text: "The settings file, if not kstream.toml." }),
    ...entry({ name: "KSTREAM_DEBUG", text: "If 1, an internal error shows where it happened." }),
    ...entry({ name: "NO_COLOR, FORCE_COLOR", text: "Colours never, or always." }),
    ".SH FILES",
    ...entry({ name: "./kstream.toml", text: "Settings of commands run in this directory." }),
    ...entry({ name: "~/.config/kstream/config.toml", text: "Profiles; see kstream profile." }),
    ...tail(),
  ].join("\n") + "\n";
}

function head(name: string, version: string): string[] {
  return [`.TH "${name.toUpperCase()}" 1 "" "kstream ${version}" "kstream"`, ".nh", ".ad l"];
}

function tail(): string[] {
  return [
    ".SH EXIT STATUS",
    "0 done, 1 failed, 2 usage, 3 unreachable or timed out, 4 partly delivered or range incomplete.",
  ];
}

function entry({ name, text }: Entry): string[] {
  return [".TP", `.B ${escape(name)}`, escape(text)];
}

function verbatim(lines: readonly string[]): string[] {
  return [".nf", ...lines.map(escape), ".fi"];
}

/** A line as text: no backslash, dot or quote of it means anything to roff. */
function escape(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  const quoted = plain.replaceAll("'", "\\(aq").replaceAll("`", "\\(ga").replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti").replaceAll("…", "...");
  return quoted.startsWith(".") ? `\\&${quoted}` : quoted;
}

function dashed({ path }: Page): string {
  return path.replaceAll(" ", "-");
}

function brief(description: string): string {
  const [first = ""] = description.split(/[.:;]/);
  return first.charAt(0).toLowerCase() + first.slice(1);
}
