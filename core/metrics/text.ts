/**
 * Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 for who asks for it. They differ in the
 * names of counters in HELP and TYPE, in UNIT, and in the mark of the end.
 */
import type { Histogram } from "../histogram.ts";
import { type MetricFamily, type MetricSink, sampleName } from "./family.ts";

/** The formats with their media types. */
export const TEXT_FORMATS = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;

export type TextFormat = keyof typeof TEXT_FORMATS;

/** What the client asks for: OpenMetrics if it names it, with no more weight for anything plain. */
export function textFormatFor(accept: string): TextFormat {
  let format: TextFormat = "prometheus";
  let best = 0;
  for (const part of accept.toLowerCase().split(",").slice(0, 20)) {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    const quality = parameters.find((piece) => piece.startsWith("q="))?.slice(2);
    const weight = quality === undefined ? 1 : Number(quality) || 0;
    const version = parameters.find((piece) => piece.startsWith("version="))?.slice(8);
    const isOpen = type === "application/openmetrics-text" &&
      (version === undefined || version === "1.0.0" || version === "0.0.1");
    if (!isOpen && type !== "text/plain" && type !== "*/*") continue;
    if (weight <= best) continue;
    best = weight;
    format = isOpen ? "openmetrics" : "prometheus";
  }
  return format;
}

/** The families as text, in pieces of one family or of about `pieceChars`. */
export function* metricsText<S>(
  families: readonly MetricFamily<S>[],
  source: S,
  format: TextFormat,
  pieceChars = Infinity,
): Generator<string, void, void> {
  const writer = new TextWriter(format);
  for (const family of families) {
    writer.begin(family);
    family.collect(source, writer);
    if (writer.length >= pieceChars) yield writer.take();
  }
  yield writer.take() + (format === "openmetrics" ? "# EOF\n" : "");
}

/** Gathers lines. */
class TextWriter implements MetricSink {
  #text = "";
  #name = "";
  #prefixes: readonly string[] = [];

  constructor(private readonly format: TextFormat) {}

  get length(): number {
    return this.#text.length;
  }

  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  begin(family: Omit<MetricFamily<never>, "collect">): void {
    this.#name = sampleName(family);
    this.#prefixes = family.labels.map((label, index) => `${index === 0 ? "{" : ","}${label}="`);
    const isOpen = this.format === "openmetrics";
    const name = isOpen ? family.name : this.#name;
    const type = !isOpen && family.type === "info" ? "gauge" : family.type;
    this.#text += `# HELP ${name} ${escapeHelp(family.help, isOpen)}\n# TYPE ${name} ${type}\n`;
    if (isOpen && family.unit !== null) this.#text += `# UNIT ${name} ${family.unit}\n`;
  }

  value(value: number, ...labels: readonly string[]): void {
    this.#line("", this.#labels(labels), value);
  }

  summary(sum: number, count: number, ...labels: readonly string[]): void {
    const text = this.#labels(labels);
    this.#line("_sum", text, sum);
    this.#line("_count", text, count);
  }

  histogram(histogram: Histogram, factor: number, ...labels: readonly string[]): void {
    const text = this.#labels(labels);
    const open = text === "" ? "{" : `${text.slice(0, -1)},`;
    let count = 0;
    histogram.counts.forEach((ofBucket, index) => {
      count += ofBucket;
      const bound = histogram.bounds[index];
      const le = bound === undefined ? "+Inf" : boundText(bound * factor, this.format);
      this.#line("_bucket", `${open}le="${le}"}`, count);
    });
    this.#line("_sum", text, histogram.sum * factor);
    this.#line("_count", text, count);
  }

  #labels(values: readonly string[]): string {
    if (this.#prefixes.length === 0) return "";
    let text = "";
    for (let index = 0; index < this.#prefixes.length; index++) {
      text += `${this.#prefixes[index]}${escapeLabel(values[index] ?? "")}"`;
    }
    return `${text}}`;
  }

  #line(suffix: string, labels: string, value: number): void {
    this.#text += `${this.#name}${suffix}${labels} ${numberText(value)}\n`;
  }
}

/** Nine digits, so that no bound shows what binary fractions cannot say; OpenMetrics wants floats. */
function boundText(bound: number, format: TextFormat): string {
  const text = String(Number(bound.toPrecision(9)));
  return format === "openmetrics" && /^\d+$/.test(text) ? `${text}.0` : text;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string, isOpen: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return isOpen ? escaped.replaceAll('"', '\\"') : escaped;
}

const NEEDS_ESCAPES = /[\\"\n]/;

function escapeLabel(text: string): string {
  if (!NEEDS_ESCAPES.test(text)) return text;
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
