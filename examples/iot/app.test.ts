import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, { type Climate, config, type Reading, type Silence } from "./app.ts";

function house() {
  const driver = new TestDriver(builder, { config });
  return { driver, telemetry: driver.input("telemetry", string(), json<Reading>()) };
}

test("two seconds have a mean and a deviation, and are an anomaly where that is large", () => {
  const { driver, telemetry } = house();
  telemetry.writeAll([
    ["attic", { celsius: 20 }, 0],
    ["boiler", { celsius: 20 }, 100],
    ["attic", { celsius: 22 }, 1_000],
    ["boiler", { celsius: 60 }, 1_900],
  ]);
  driver.advance(200);
  telemetry.write("attic", { celsius: 21 }, 2_200);
  const from = "1970-01-01T00:00:00.000Z";
  const boiler = { from, readings: 2, mean: 40, deviation: 20 };
  const climate = driver.output("climate", string(), json<Climate>());
  expect(climate.readMap()).toEqual(
    new Map([["attic", { from, readings: 2, mean: 21, deviation: 1 }], ["boiler", boiler]]),
  );
  const anomalies = driver.output("anomalies", string(), json<Climate>());
  expect(anomalies.readPairs()).toEqual([["boiler", boiler]]);
  driver.close();
});

test("a sensor is silent when others go on without it", () => {
  const { driver, telemetry } = house();
  const silences = driver.output("silences", string(), json<Silence>());
  telemetry.writeAll([
    ["cellar", { celsius: 11 }, 0],
    ["cellar", { celsius: 11 }, 1_000],
    ["attic", { celsius: 20 }, 1_500],
  ]);
  driver.advance(200);
  telemetry.write("attic", { celsius: 20 }, 2_400);
  expect(silences.size).toBe(0);
  driver.advance(200);
  telemetry.write("attic", { celsius: 20 }, 2_600);
  const since = "1970-01-01T00:00:01.000Z";
  expect(silences.readPairs()).toEqual([["cellar", { since, readings: 2 }]]);
  driver.close();
});
