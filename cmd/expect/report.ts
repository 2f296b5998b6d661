/** How `kstream expect` tells its results: for people, as JSON, as TAP 14 and as JUnit's XML. */
import type { CheckResult } from "./checks.ts";
import type { CloseRecord } from "./closest.ts";

/** What there is to tell. */
export interface ExpectResult {
  readonly topic: string;
  readonly held: boolean;
  readonly elapsedMs: number;
  /** Records that were looked at, and those of them that matched. */
  readonly read: number;
  readonly matched: number;
  readonly checks: readonly CheckResult[];
  readonly closest: readonly CloseRecord[];
}

/** `orders: held: 3 matched of 12 read in 40 ms`. */
export function formatSummary({ topic, read, matched, elapsedMs }: ExpectResult): string {
  const numbers = `${matched.toLocaleString("en")} of ${read.toLocaleString("en")} records match`;
  return `${topic} is as expected: ${numbers}, after ${elapsedMs} ms\n`;
}

/** What was seen, a line each, for below an error. */
export function formatClosest(closest: readonly CloseRecord[]): string {
  if (closest.length === 0) return "";
  const lines = closest.map(({ record, key, value, held, of }) => {
    const conditions = of > 1 ? `  (${held} of ${of} conditions hold)` : "";
    return `  ${record}  key ${key}  value ${value}${conditions}`;
  });
  return ["closest that do not match:", ...lines].join("\n");
}

/** TAP version 14. */
export function formatTap({ checks, closest }: ExpectResult): string {
  const lines = ["TAP version 14", `1..${checks.length}`];
  checks.forEach(({ name, held, detail }, i) => {
    // A # would begin a directive.
    lines.push(`${held ? "ok" : "not ok"} ${i + 1} - ${name.replace(/[\\#]/g, "\\$&")}`);
    lines.push("  ---", `  detail: ${JSON.stringify(detail)}`, "  ...");
  });
  if (checks.some(({ held }) => !held)) {
    for (const line of formatClosest(closest).split("\n")) if (line !== "") lines.push(`# ${line}`);
  }
  return lines.join("\n").replace(/\r/g, "") + "\n";
}

/** A test suite for the topic with a test case for each check. `error`: it could not be found out. */
export function formatJunit(result: ExpectResult, error: string | null): string {
  const seconds = (result.elapsedMs / 1000).toFixed(3);
  const { checks, closest } = result;
  const cases = checks.map(({ name, held, detail }) => {
    const open = `    <testcase classname=${attribute(result.topic)} name=${attribute(name)} ` +
      `time="${seconds}">`;
    const below = error === null
      ? held
        ? ""
        : `<failure message=${attribute(detail)}>${text(formatClosest(closest))}</failure>`
      : `<error message=${attribute(error)}/>`;
    return `${open}${below}</testcase>`;
  });
  const failures = error === null ? checks.filter(({ held }) => !held).length : 0;
  const errors = error === null ? 0 : checks.length;
  const numbers = `tests="${checks.length}" failures="${failures}" errors="${errors}" ` +
    `time="${seconds}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${numbers}>`,
    `  <testsuite name=${attribute(`kstream expect ${result.topic}`)} ${numbers}>`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function attribute(value: string): string {
  return `"${text(value).replace(/\s/g, " ")}"`;
}

/** XML has no way to write most control characters. */
function text(value: string): string {
  return value.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}
