/** Dashboard and rules ask for metrics that there are, and are what their programs read. */
import { expect, test } from "bun:test";
import { parse } from "yaml";
import { sampleName } from "../../admin/metrics/family.ts";
import { METRICS } from "../../admin/metrics/registry.ts";
import { CONNECT_METRICS } from "../../connect/metrics/families.ts";
import { alertRules, ALERTS } from "./alerts.ts";
import { dashboard, ROWS } from "./dashboard.ts";

/** All names that can be asked for, with the labels that they have. */
const known = new Map([...METRICS, ...CONNECT_METRICS].flatMap((family) => {
  const name = sampleName(family);
  const suffixes = family.type === "histogram"
    ? ["_bucket", "_sum", "_count"]
    : family.type === "summary"
    ? ["_sum", "_count"]
    : [""];
  return suffixes.map((suffix) => [name + suffix, family.labels] as const);
}));
/** Labels that Prometheus adds, and those of histograms. */
const ADDED = ["job", "instance", "le"];

function unknownOf(expr: string): string[] {
  const names = [...expr.matchAll(/\b((?:kstream|process|kafka_connect)_\w+)\{([^}]*)\}/g)];
  expect([expr, names.length]).not.toEqual([expr, 0]);
  const labelsHere = names.flatMap(([, name = ""]) => known.get(name) ?? []);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)]
    .flatMap(([, labels = ""]) => labels.split(", "));
  const matched = names.flatMap(([, , matchers = ""]) =>
    [...matchers.matchAll(/(\w+)=/g)].map(([, label = ""]) => label)
  );
  return [
    ...names.map(([, name = ""]) => name).filter((name) => !known.has(name)),
    ...[...grouped, ...matched].filter((label) =>
      !ADDED.includes(label) && !labelsHere.includes(label)
    ),
  ];
}

test("each metric and label that the dashboard names is in the registry", () => {
  const exprs = ROWS.flatMap(({ panels }) => panels.flatMap(({ lines }) => lines));
  expect(exprs.length).toBeGreaterThan(30);
  for (const [expr, legend] of exprs) {
    expect([expr, unknownOf(expr)]).toEqual([expr, []]);
    for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g)) {
      const isKept = expr.includes(label) || !/\bby\b/.test(expr) &&
          [...ADDED, "directory"].includes(label);
      expect([expr, label, isKept]).toEqual([expr, label, true]);
    }
  }
});

test("each metric and label that the rules name is in the registry", () => {
  for (const { name, expr } of ALERTS) {
    if (name !== "KstreamDown") expect([name, unknownOf(expr)]).toEqual([name, []]);
  }
});

test("the rules are YAML with each alert once, for the job that is asked for", () => {
  const text = alertRules('my "job"');
  const { groups: [group] } = parse(text);
  expect(group.rules.map(({ alert }: { alert: string }) => alert))
    .toEqual(ALERTS.map(({ name }) => name));
  expect(new Set(ALERTS.map(({ name }) => name)).size).toBe(ALERTS.length);
  expect(group.rules[0].expr).toBe('up{job="my \\"job\\""} == 0');
  expect(text).not.toContain("JOB");
});

test("the dashboard asks the data source that is given, or lets choose one", () => {
  const chosen = JSON.parse(dashboard(null));
  expect(chosen.templating.list.map(({ name }: { name: string }) => name))
    .toEqual(["datasource", "job", "instance"]);
  const fixed = JSON.parse(dashboard("prom1"));
  expect(
    fixed.panels.filter(({ type }: { type: string }) => type === "timeseries")
      .every(({ datasource }: { datasource: { uid: string } }) => datasource.uid === "prom1"),
  )
    .toBe(true);
  const ids = fixed.panels.map(({ id }: { id: number }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(JSON.stringify(fixed)).not.toContain("SEL");
});
