/**
 * Options that may also stand before the command, as in `kstream --profile dev topic list`: those
 * that say which cluster, and colours. All others belong to a command and stand behind it.
 */
import { OperatorError } from "../core/operator-error.ts";

/** Names that mean the same option; the first is how it is told. */
const LEADING: readonly (readonly string[])[] = [["--profile"], ["--brokers", "-b"], ["--color"]];
/** What a command line without command may begin with. */
const OWN: readonly string[] = ["-h", "--help", "-V", "--version"];

/** The options before the command, and the words from it on. */
export interface SplitLine {
  readonly leading: readonly string[];
  readonly rest: readonly string[];
}

/** `waits`: the last word is an option whose value is not there yet. */
export function splitLeading(words: readonly string[]): SplitLine & { readonly waits: boolean } {
  let at = 0;
  while (at < words.length) {
    const word = words[at]!;
    if (namesOf(word) === null) break;
    const hasValue = word.includes("=") || /^-b./.test(word);
    at += hasValue ? 1 : 2;
  }
  const waits = at > words.length;
  return { leading: words.slice(0, at), rest: words.slice(at), waits };
}

/**
 * The command line with those options behind the command, where commander reads them. What stands
 * there already wins. Throws `OperatorError` (usage).
 */
export function withoutLeading(argv: readonly string[], commands: readonly string[]): string[] {
  const { leading, rest, waits } = splitLeading(argv);
  const [first] = rest;
  if (waits) {
    throw new OperatorError(`${leading.at(-1)} has no value`, "", 'see "kstream --help"', 2);
  }
  if (first?.startsWith("-") && !OWN.includes(first)) refuseOption(rest, commands);
  if (leading.length === 0 || first === "help" || OWN.includes(first ?? "")) return [...rest];
  if (first === undefined) {
    throw new OperatorError("a command is missing", "", 'see "kstream --help"', 2);
  }
  const end = rest.indexOf("--");
  const own = end < 0 ? rest : rest.slice(0, end);
  return [...own, ...missingIn(own, leading), ...rest.slice(own.length)];
}

/** Where a command comes behind it, it is told where its options stand. */
function refuseOption([word = "", ...rest]: readonly string[], commands: readonly string[]): void {
  const command = rest.find((each) => commands.includes(each));
  if (command === undefined) return;
  const name = word.split("=")[0];
  throw new OperatorError(
    `option '${name}' stands before the command`,
    `only ${LEADING.map(([first]) => first).join(", ")} may`,
    `write it behind: kstream ${command} … ${name}`,
    2,
  );
}

/** Those of the options that are not given there. */
function missingIn(own: readonly string[], leading: readonly string[]): string[] {
  const missing: string[] = [];
  for (let at = 0; at < leading.length;) {
    const word = leading[at]!;
    const size = word.includes("=") || /^-b./.test(word) ? 1 : 2;
    const names = namesOf(word) ?? [];
    const isGiven = own.some((each) => names.includes(each.split("=")[0]!));
    if (!isGiven) missing.push(...leading.slice(at, at + size));
    at += size;
  }
  return missing;
}

function namesOf(word: string): readonly string[] | null {
  const name = /^-b./.test(word) ? "-b" : word.split("=")[0]!;
  return LEADING.find((names) => names.includes(name)) ?? null;
}

/** For completion. */
export const LEADING_NAMES: readonly string[] = LEADING.map(([name]) => name!);
