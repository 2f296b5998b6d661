/** Answers a shell that asks what may be typed (`scripts.ts` has its side). */
import { print } from "../output.ts";
import { shellWords } from "./shell-words.ts";
import { type Candidate, wantedAt } from "./suggest.ts";
import { type Values, valuesFor } from "./values.ts";

/** bash asks with this code when it shows a list, and puts nothing of it on the line. */
const COMP_TYPE_LISTS = ["63", "33", "64"];
const COLUMNS_DEFAULT = 80;

/** Prints a line for each candidate, and lines that begin with a tab for what else holds. */
export async function answer(argv: readonly string[]): Promise<number> {
  const [, shell, ...rest] = argv;
  if (shell === "bash") await answerBash(rest);
  else if (shell === "zsh" || shell === "fish") await answerWords(shell, rest);
  return 0;
}

async function answerBash([type = "", breaks = "", line = ""]: readonly string[]): Promise<void> {
  const words = shellWords(line).slice(1);
  const found = await candidatesFor(words);
  // bash replaces what stands behind the last of the characters at which it breaks words.
  const word = words.at(-1) ?? "";
  const kept = Math.max(
    -1,
    ...[...":="].filter((char) => breaks.includes(char))
      .map((char) => word.lastIndexOf(char)),
  ) + 1;
  const texts = found.candidates.map(({ text }) => escapeBash(text.slice(kept)));
  const lists = COMP_TYPE_LISTS.includes(type) && texts.length > 1;
  const lines = lists ? described(texts, found.candidates) : texts;
  await printAnswer(lines, found);
}

async function answerWords(shell: "zsh" | "fish", words: readonly string[]): Promise<void> {
  const found = await candidatesFor(words);
  const lines = found.candidates.map(({ text, description }) =>
    shell === "zsh"
      ? [text.replaceAll(":", "\\:"), ...description === "" ? [] : [description]].join(":")
      : `${text}\t${description}`
  );
  await printAnswer(lines, found);
}

async function printAnswer(lines: readonly string[], found: Values): Promise<void> {
  const marks = [...found.open ? ["\tnospace"] : [], ...found.files ? ["\tfiles"] : []];
  await print([...marks, ...lines].map((line) => `${line}\n`).join(""));
}

/** What fits the last of the words. Nobody at a Tab key wants to read an error. */
async function candidatesFor(words: readonly string[]): Promise<Values> {
  const word = words.at(-1) ?? "";
  try {
    const wanted = await wantedAt(words);
    const values = wanted.kind === "words"
      ? { candidates: wanted.words, files: false, open: false }
      : await valuesFor(wanted);
    const prefix = wanted.kind === "words" ? "" : wanted.prefix;
    const candidates = values.candidates
      .map(({ text, description }) => ({ text: prefix + text, description: plain(description) }))
      // What a terminal could take for a command, or a shell for two words, is not offered.
      .filter(({ text }) => text.startsWith(word) && !/[\p{Cc}\s]/u.test(text));
    return { ...values, candidates };
  } catch {
    return { candidates: [], files: false, open: false };
  }
}

/** The first sentence, on one line. */
function plain(description: string): string {
  return description.replace(/[\p{Cc}\s]+/gu, " ").split(/(?<=\.)\s/)[0]!.replace(/\.$/, "");
}

function escapeBash(text: string): string {
  return text.replace(/[^\w@%+=:,./-]/g, "\\$&");
}

/** Candidates with what they are, as wide as the terminal at most. */
function described(texts: readonly string[], candidates: readonly Candidate[]): string[] {
  const width = Math.max(...texts.map((text) => text.length));
  const widthMax = Number(process.env["COLUMNS"]) || COLUMNS_DEFAULT;
  return texts.map((text, i) => {
    const { description } = candidates[i]!;
    if (description === "") return text;
    const line = `${text.padEnd(width)}  (${description})`;
    return line.length < widthMax ? line : `${line.slice(0, widthMax - 3)}…)`;
  });
}
