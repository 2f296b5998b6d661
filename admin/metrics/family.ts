/** What a metric of the broker is: as any, its values read off a `Scrape` unless it says otherwise. */
import {
  defineMetric,
  type MetricFamily as Family,
  type MetricType,
} from "../../core/metrics/family.ts";
import type { Scrape } from "./scrape.ts";

export { type MetricSink, sampleName } from "../../core/metrics/family.ts";

export type MetricFamily<S = Scrape> = Family<S>;

/** Definitions of each type: name, sentence, labels, values. */
export const metric = {
  counter: define("counter"),
  gauge: define("gauge"),
  histogram: define("histogram"),
  summary: define("summary"),
  info: define("info"),
};

function define(type: MetricType) {
  const defined = defineMetric(type);
  return <S = Scrape>(
    name: string,
    help: string,
    labels: readonly string[],
    collect: MetricFamily<S>["collect"],
  ): MetricFamily<S> => defined(name, help, labels, collect);
}
