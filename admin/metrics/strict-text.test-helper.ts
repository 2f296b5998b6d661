/**
 * Reads metrics as text, and throws at whatever the formats do not allow (Prometheus' 0.0.4 and
 * OpenMetrics 1.0): order, names, escapes, duplicates, histograms that do not add up.
 */

/** A family as the text has it. */
export interface TextFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string | null;
  /** By the sample's name with its labels as in the text. */
  readonly samples: ReadonlyMap<string, number>;
}

interface Draft {
  readonly name: string;
  type: string;
  help: string;
  unit: string | null;
  readonly samples: Map<string, number>;
  readonly labels: Map<string, ReadonlyMap<string, string>>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/i;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["_sum", "_count"],
};

/** The families by name. */
export function parseMetrics(text: string, format: "prometheus" | "openmetrics") {
  const families = new Map<string, Draft>();
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  if (format === "openmetrics" && lines.pop() !== "# EOF") throw new Error("no # EOF");
  let current: Draft | null = null;
  for (const line of lines) {
    const comment = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind = "", name = "", rest = ""] = comment;
      current = note(families, current, kind, name, rest, format);
      continue;
    }
    if (line.startsWith("#") || line === "") throw new Error(`a strange line: ${line}`);
    if (current === null || current.type === "") throw new Error(`before any TYPE: ${line}`);
    addSample(current, line, format);
  }
  for (const family of families.values()) check(family, format);
  return families as ReadonlyMap<string, TextFamily>;
}

function note(
  families: Map<string, Draft>,
  current: Draft | null,
  kind: string,
  name: string,
  rest: string,
  format: string,
): Draft {
  if (!NAME.test(name)) throw new Error(`a bad name: ${name}`);
  if (kind === "HELP") {
    if (families.has(name)) throw new Error(`a family in two places: ${name}`);
    const draft = { name, type: "", help: rest, unit: null, samples: new Map(), labels: new Map() };
    families.set(name, draft);
    return draft;
  }
  if (current?.name !== name || current.samples.size > 0) {
    throw new Error(`${kind} of ${name} in another family, or after its samples`);
  }
  if (kind === "TYPE") {
    const known = ["counter", "gauge", "histogram", "summary"];
    if (format === "openmetrics") known.push("info");
    if (!known.includes(rest)) throw new Error(`a bad type of ${name}: ${rest}`);
    current.type = rest;
  } else {
    if (format !== "openmetrics") throw new Error("UNIT is of OpenMetrics alone");
    if (!name.endsWith(`_${rest}`)) throw new Error(`${name} does not end with its unit ${rest}`);
    current.unit = rest;
  }
  return current;
}

function addSample(family: Draft, line: string, format: string): void {
  const match = /^([^\s{]+)(\{.*\})? (\S+)$/.exec(line);
  const [, name = "", labelText = "", valueText = ""] = match ?? [];
  if (!NAME.test(name) || !NUMBER.test(valueText)) throw new Error(`no sample: ${line}`);
  if (!suffixesOf(family, format).some((suffix) => name === family.name + suffix)) {
    throw new Error(`${name} is no sample of the ${family.type} ${family.name}`);
  }
  const labels = labelsOf(labelText, line);
  const sorted = [...labels].sort().map(([key, value]) => `${key}=${value}`).join("\0");
  const key = `${name}${labelText}`;
  if (family.samples.has(key) || family.labels.has(`${name}\0${sorted}`)) {
    throw new Error(`twice: ${line}`);
  }
  family.samples.set(key, Number(valueText.replace("Inf", "Infinity")));
  family.labels.set(`${name}\0${sorted}`, labels);
}

function suffixesOf({ type }: Draft, format: string): readonly string[] {
  if (type === "counter") return format === "openmetrics" ? ["_total"] : [""];
  if (type === "info") return ["_info"];
  return SUFFIXES[type] ?? [""];
}

function labelsOf(text: string, line: string): Map<string, string> {
  const labels = new Map<string, string>();
  let rest = text === "" ? "" : text.slice(1, -1);
  while (rest !== "") {
    const match = /^([^=]+)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/.exec(rest);
    const [whole = "", name = "", value = "", end = ""] = match ?? [];
    if (match === null || !LABEL_NAME.test(name) || labels.has(name)) {
      throw new Error(`bad labels: ${line}`);
    }
    labels.set(name, value);
    rest = rest.slice(whole.length);
    if (end === "," && rest === "") throw new Error(`bad labels: ${line}`);
  }
  return labels;
}

function check({ name, type, help, samples }: Draft, format: string): void {
  if (type === "" || help === "") throw new Error(`${name} has no TYPE or no HELP`);
  if (type === "counter") {
    if (format === "prometheus" && !name.endsWith("_total")) throw new Error(`${name}: no _total`);
    for (const value of samples.values()) if (!(value >= 0)) throw new Error(`${name} below 0`);
  }
  if (type !== "histogram") return;
  let before: { series: string; count: number; bound: number } | null = null;
  for (const [key, count] of samples) {
    const bucket = /^(.*)_bucket(\{.*)le="([^"]+)"\}$/.exec(key);
    if (bucket !== null) {
      const [, , series = "", bound = ""] = bucket;
      const next = { series, count, bound: bound === "+Inf" ? Infinity : Number(bound) };
      if (before?.series === series && (before.count > count || before.bound >= next.bound)) {
        throw new Error(`buckets that do not ascend: ${key}`);
      }
      before = next;
    } else if (key.startsWith(`${name}_count`)) {
      if (before?.bound !== Infinity || before.count !== count) {
        throw new Error(`a count that is not that of le="+Inf": ${key}`);
      }
    }
  }
}
