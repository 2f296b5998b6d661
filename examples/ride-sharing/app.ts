/**
 * A city of taxis. `trips` says of each driver in which zone he is and whether somebody rides with him,
 * `requests` who wants to go from where. What comes of it: how many are free and riding in each zone,
 * now, and for every two seconds how much dearer a ride is where more want one than taxis are free.
 */
import { json, onWindowClose, string, TopologyBuilder, tumbling } from "kstream/stream";

export const config = { "application.id": "ride-sharing" };

export interface Trip {
  readonly zone: string;
  readonly state: "free" | "riding";
}

export interface Zone {
  readonly free: number;
  readonly riding: number;
}

export interface Request {
  readonly zone: string;
}

export interface Surge {
  readonly from: string;
  readonly requests: number;
  readonly free: number;
  /** What the price is multiplied by. */
  readonly factor: number;
}

interface Window {
  readonly startMs: number;
  readonly requests: number;
}

const builder = new TopologyBuilder();

// The table has the last record of each driver. Where he leaves a zone he is taken off its numbers.
const zones = builder.table<string, Trip>("drivers", "trips")
  .groupBy("drivers-by-zone", (trip) => [trip.zone, trip])
  .aggregate<Zone>(
    "zones",
    () => ({ free: 0, riding: 0 }),
    (zone, { state }) => ({ ...zone, [state]: zone[state] + 1 }),
    (zone, { state }) => ({ ...zone, [state]: zone[state] - 1 }),
  );

zones.toStream().to("zone-trips");

builder.stream<string, Request>("requests")
  .groupBy("requests-by-zone", ({ zone }) => zone, { key: string() })
  .windowedBy(tumbling({ sizeMs: 2_000 }))
  .emitStrategy(onWindowClose())
  .count("requests-in-window")
  .toStream()
  // A zone that nobody is free in may have no row yet.
  .map(
    (requests, { key, window }) => [key, { startMs: window.startMs, requests: requests ?? 0 }],
    { key: string(), value: json<Window>() },
  )
  .leftJoinTable(zones, surgeOf, { name: "windows-by-zone" })
  .to("surge");

function surgeOf({ startMs, requests }: Window, zone: Zone | null): Surge {
  const free = zone?.free ?? 0;
  const wanted = requests / Math.max(1, free);
  const factor = Math.min(3, Math.max(1, Math.round(wanted * 10) / 10));
  return { from: new Date(startMs).toISOString(), requests, free, factor };
}

export default builder;
