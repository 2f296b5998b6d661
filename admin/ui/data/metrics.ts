/** `GET /metrics` as numbers: how the pages see what the broker counts (`docs/metrics.md`). */
import { request } from "./api.ts";

/** One series: its labels and its value. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What was counted at a time. */
export interface Metrics {
  readonly atMs: number;
  readonly byName: ReadonlyMap<string, readonly Series[]>;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format; what it does not understand it leaves out. */
export function parseMetrics(text: string, atMs: number): Metrics {
  const byName = new Map<string, Series[]>();
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    const [, name = "", labelText = "", number = ""] = LINE.exec(line) ?? [];
    if (name === "" || name.endsWith("_bucket")) continue;
    const labels: Record<string, string> = {};
    for (const [, label = "", value = ""] of labelText.matchAll(LABEL)) {
      labels[label] = value.replace(/\\(.)/g, (_all, char: string) => char === "n" ? "\n" : char);
    }
    const all = byName.get(name) ?? [];
    all.push({ labels, value: Number(number) });
    byName.set(name, all);
  }
  return { atMs, byName };
}

/** Asks the broker. */
export async function getMetrics(signal?: AbortSignal): Promise<Metrics> {
  const response = await request("/metrics", signal === undefined ? {} : { signal });
  return parseMetrics(await response.text(), performance.now());
}

/** The sum over all series of a name; null: there are none. */
export function total(metrics: Metrics, name: string): number | null {
  const all = metrics.byName.get(name);
  return all === undefined ? null : all.reduce((sum, { value }) => sum + value, 0);
}

/** By how much a counter has grown a second; null before there are two samples. */
export function perSecond(before: Metrics | null, now: Metrics, name: string): number | null {
  const [first, last] = [before && total(before, name), total(now, name)];
  if (before === null || first === null || last === null) return null;
  return growth(first, last, before.atMs, now.atMs);
}

/** The same by the value of a label. */
export function perSecondBy(
  before: Metrics | null,
  now: Metrics,
  name: string,
  label: string,
): Map<string, number> {
  const rates = new Map<string, number>();
  if (before === null) return rates;
  const old = new Map(before.byName.get(name)?.map(({ labels, value }) => [labels[label], value]));
  for (const { labels, value } of now.byName.get(name) ?? []) {
    const which = labels[label] ?? "";
    rates.set(which, growth(old.get(which) ?? 0, value, before.atMs, now.atMs));
  }
  return rates;
}

/** A counter that went back has begun anew. */
function growth(first: number, last: number, fromMs: number, toMs: number): number {
  return toMs > fromMs
    ? Math.max(0, last >= first ? last - first : last) * 1000 / (toMs - fromMs)
    : 0;
}
