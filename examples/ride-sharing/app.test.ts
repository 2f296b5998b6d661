import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, { config, type Request, type Surge, type Trip, type Zone } from "./app.ts";

test("a driver counts where he is, and a zone is dear when many want to leave it", () => {
  const driver = new TestDriver(builder, { config });
  const trips = driver.input("trips", string(), json<Trip>());
  const requests = driver.input("requests", string(), json<Request>());
  trips.writeAll([
    ["ann", { zone: "station", state: "free" }, 0],
    ["bo", { zone: "station", state: "free" }, 0],
    ["cem", { zone: "station", state: "riding" }, 0],
    ["bo", { zone: "harbour", state: "riding" }, 100],
  ]);
  const zones = driver.output("zone-trips", string(), json<Zone>());
  expect(zones.readMap()).toEqual(
    new Map([["station", { free: 1, riding: 1 }], ["harbour", { free: 0, riding: 1 }]]),
  );

  for (const rider of ["r1", "r2"]) requests.write(rider, { zone: "station" }, 500);
  requests.write("r3", { zone: "airport" }, 1_500);
  driver.advance(1_000);
  requests.write("r4", { zone: "airport" }, 2_000);
  const surge = driver.output("surge", string(), json<Surge>());
  const from = "1970-01-01T00:00:00.000Z";
  expect(surge.readMap()).toEqual(
    new Map([
      ["station", { from, requests: 2, free: 1, factor: 2 }],
      ["airport", { from, requests: 1, free: 0, factor: 1 }],
    ]),
  );
  driver.close();
});
