/**
 * Sensors of a house. Each reading goes into the two seconds that it is of: their mean and standard
 * deviation are given out when they are over, and those whose readings are far apart are anomalies. A
 * sensor that says nothing for a second and a half is silent, which the end of its session tells.
 */
import { onWindowClose, sessions, string, TopologyBuilder, tumbling } from "kstream/stream";

export const config = { "application.id": "iot" };

/** The key is the sensor. */
export interface Reading {
  readonly celsius: number;
}

export interface Climate {
  readonly from: string;
  readonly readings: number;
  readonly mean: number;
  readonly deviation: number;
}

export interface Silence {
  /** Of the last reading. */
  readonly since: string;
  /** So many came, one soon after the other, before that. */
  readonly readings: number;
}

/** Mean, and sum of squares of differences from it, by Welford's method: no digits are lost. */
interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

/** From which standard deviation on, in degrees, something is wrong. */
const DEVIATION_MAX = 5;

const builder = new TopologyBuilder();
const readings = builder.stream<string, Reading>("telemetry").groupByKey();

const climates = readings.windowedBy(tumbling({ sizeMs: 2_000, graceMs: 200 }))
  .emitStrategy(onWindowClose({ intervalMs: 200 }))
  .aggregate<Spread>("spreads", () => ({ count: 0, mean: 0, squares: 0 }), added)
  .toStream()
  .map(
    (spread, { key, window }) => [key, climateOf(window.startMs, spread!)],
    { key: string() },
  );

climates.to("climate");
climates.filter(({ deviation }) => deviation > DEVIATION_MAX).to("anomalies");

readings.windowedBy(sessions({ gapMs: 1_500 }))
  .emitStrategy(onWindowClose({ intervalMs: 200 }))
  .count("readings-in-a-row")
  .toStream()
  .map(
    (count, { key, window }): [string, Silence] => [
      key,
      { since: new Date(window.endMs).toISOString(), readings: count! },
    ],
    { key: string() },
  )
  .to("silences");

function added({ count, mean, squares }: Spread, { celsius }: Reading): Spread {
  const difference = celsius - mean;
  const next = mean + difference / (count + 1);
  return { count: count + 1, mean: next, squares: squares + difference * (celsius - next) };
}

function climateOf(startMs: number, { count, mean, squares }: Spread): Climate {
  const deviation = rounded(Math.sqrt(squares / count));
  return { from: new Date(startMs).toISOString(), readings: count, mean: rounded(mean), deviation };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

export default builder;
