/** `RegexRouter`, `TimestampRouter` and `Filter`: where records go, if anywhere. */
import { string } from "../config/fields.ts";
import { compileRegex } from "../../core/regex.ts";
import type { Regex } from "../../core/regex.ts";
import { DataError } from "../data/data-error.ts";
import { dateOfMs } from "../data/logical-types.ts";
import { compileDateFormat } from "../data/simple-date-format.ts";
import { defineTransform, SettingError } from "./definition.ts";
import { formatOf } from "./timestamp-converter.ts";

/** What is wrong with a regular expression of a setting; null: nothing. */
export function regexProblem(source: string): string | null {
  const compiled = compileRegex(source);
  if (compiled.ok) return null;
  const lacks = /\(\?[=!<>]|\\[1-9]|[*+?}]\+/.test(source)
    ? " (lookaround, references to groups, atomic and possessive groups are not supported)"
    : "";
  return `is no regular expression: ${compiled.why}${lacks}`;
}

/** The expression of a setting that was checked. */
export function regexOf(source: string): Regex {
  const compiled = compileRegex(source);
  if (!compiled.ok) throw new SettingError("regex", compiled.why);
  return compiled.regex;
}

export const regexRouter = defineTransform({
  name: "RegexRouter",
  doc: "Gives records whose topic matches a regular expression another topic.",
  config: {
    regex: string().check(regexProblem).importance("HIGH").doc(
      "The regular expression, in RE2's syntax. All of the topic's name has to match.",
    ),
    replacement: string().importance("HIGH").example("archive-$1").doc(
      "The new name; $1 is what the first group has matched.",
    ),
  },
  make: ({ regex: source, replacement }) => {
    const regex = regexOf(source);
    return {
      apply: (record) => {
        if (!regex.matches(record.topic)) return record;
        const topic = regex.replaceFirst(record.topic, replacement);
        if (topic === null) throw new DataError('"replacement" names a group that "regex" lacks');
        return { ...record, topic };
      },
    };
  },
});

export const timestampRouter = defineTransform({
  name: "TimestampRouter",
  doc: "Gives records a topic that is made of theirs and their timestamp.",
  config: {
    "topic.format": string().default("${topic}-${timestamp}").importance("HIGH").doc(
      "The new name; ${topic} and ${timestamp} stand for what the record has.",
    ),
    "timestamp.format": string().default("yyyyMMdd").importance("HIGH").doc(
      "How the timestamp is written, as a pattern of Java's SimpleDateFormat, in UTC.",
    ).check((pattern) => {
      const compiled = compileDateFormat(pattern);
      return compiled.ok ? null : `is no pattern of times: ${compiled.why}`;
    }),
  },
  make: (config) => {
    const format = formatOf(config["timestamp.format"]);
    const names = config["topic.format"];
    return {
      apply: (record) => {
        if (record.timestampMs === null) throw new DataError("the record has no timestamp");
        const timestamp = format?.format(dateOfMs(record.timestampMs)) ?? "";
        const topic = names.replaceAll("${topic}", () => record.topic)
          .replaceAll("${timestamp}", () => timestamp);
        return { ...record, topic };
      },
    };
  },
});

export const filter = defineTransform({
  name: "Filter",
  doc: "Drops records; with a predicate those that it is true for.",
  config: {},
  make: () => ({ apply: () => null }),
});
