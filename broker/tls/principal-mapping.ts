/**
 * How the subject of a client's certificate becomes its name: `ssl.principal.mapping.rules` (KIP-371,
 * Kafka's `SslPrincipalMapper`). The first rule that fits counts: `DEFAULT` takes the subject as it is,
 * `RULE:pattern/replacement/[LU]` replaces one that matches as a whole, `$1` being its first group, and
 * writes it small (L) or large (U). Patterns have RE2's syntax.
 */
import { compileRegex } from "../../core/regex.ts";

/** Gives a subject its name; null: no rule fits. */
export type PrincipalMapping = (subject: string) => string | null;

/** The mapping, or the rule that cannot be read and why. */
export type ParsedMapping =
  | { readonly ok: true; readonly map: PrincipalMapping }
  | { readonly ok: false; readonly why: string };

/** A rule at the start of the text: `/` within it has a backslash before it. */
const RULE =
  /^\s*(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?))[^\S\n]*(?:[,\n]\s*|$)/s;

/** Reads the rules; they have commas or lines between them. */
export function parsePrincipalMapping(text: string): ParsedMapping {
  const rules: PrincipalMapping[] = [];
  for (let rest = text.trim(); rest !== "";) {
    const match = RULE.exec(rest);
    if (match === null) return { ok: false, why: `there is no rule at "${rest.slice(0, 40)}"` };
    const [whole, isDefault, pattern = "", replacement = "", letters = ""] = match;
    rest = rest.slice(whole.length);
    if (isDefault !== undefined) {
      rules.push((subject) => subject);
      continue;
    }
    const compiled = compileRegex(pattern);
    if (!compiled.ok) return { ok: false, why: `the pattern ${pattern}: ${compiled.why}` };
    const { regex } = compiled;
    rules.push((subject) => {
      const groups = regex.groups(subject);
      return groups === null ? null : inLetters(fill(replacement, groups), letters);
    });
  }
  if (rules.length === 0) rules.push((subject) => subject);
  return { ok: true, map: (subject) => firstOf(rules, subject) };
}

function firstOf(rules: readonly PrincipalMapping[], subject: string): string | null {
  for (const rule of rules) {
    const name = rule(subject);
    if (name !== null) return name;
  }
  return null;
}

/** A group that there is not is text; a backslash takes what follows as it is. */
function fill(replacement: string, groups: readonly string[]): string {
  return replacement.replace(/\\(.)|\$(\d)/gs, (all: string, literal?: string, group?: string) => {
    if (literal !== undefined) return literal;
    return groups[Number(group)] ?? all;
  });
}

function inLetters(name: string, letters: string): string {
  if (letters === "L") return name.toLowerCase();
  return letters === "U" ? name.toUpperCase() : name;
}
