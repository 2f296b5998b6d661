/** Lists of names and patterns, as MM2 has them for topics, groups and configs. */
import { compileRegex } from "../../../core/regex.ts";
import type { Regex } from "../../../core/regex.ts";
import { FieldError, list } from "../../index.ts";

/** A field that is a list of names and patterns, each of a whole name. */
export function patterns() {
  return list().check((sources) => {
    for (const source of sources) {
      const compiled = compileRegex(source);
      if (!compiled.ok) return `has to be a list of names and patterns: ${compiled.why}`;
    }
    return null;
  });
}

/** Takes names that one of `included` matches and none of `excluded`. */
export function nameFilter(
  included: readonly string[],
  excluded: readonly string[],
): (name: string) => boolean {
  const ins = included.map(compiled);
  const outs = excluded.map(compiled);
  return (name) =>
    ins.some((regex) => regex.matches(name)) && !outs.some((regex) => regex.matches(name));
}

function compiled(source: string): Regex {
  const result = compileRegex(source);
  if (!result.ok) throw new FieldError(result.why);
  return result.regex;
}
