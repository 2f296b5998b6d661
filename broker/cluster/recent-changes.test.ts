import { expect, test } from "bun:test";
import { MemoryMetadataLog } from "../../cluster/memory-metadata-log.test-helper.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { silentLogger } from "../../core/logger.ts";
import { BrokerConfig } from "../config/broker-config.ts";
import { Controller } from "../controller.ts";
import { MetadataCache } from "../metadata-cache.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { RecentChanges } from "./recent-changes.ts";

function records(count: number): MetadataRecord[] {
  return Array.from({ length: count }, (_, level) => ({
    type: "feature",
    version: 1,
    name: "f",
    level,
  }));
}

test("a change is found by each of its positions, and what is not there is not", () => {
  const recent = new RecentChanges();
  const sizes = [1, 3, 2, 5, 1];
  let end = 0;
  const ends = sizes.map((size) => {
    recent.note(records(size), end += size);
    return end;
  });
  const found = Array.from({ length: end }, (_, position) => recent.at(position)?.end);
  expect(found).toEqual(
    ends.flatMap((at, index) => Array.from({ length: sizes[index]! }, () => at)),
  );
  expect([recent.at(-1), recent.at(end)]).toEqual([null, null]);
  expect([recent.start, recent.end]).toEqual([0, end]);
});

test("it keeps about as many records as it may, but the last change always", () => {
  const recent = new RecentChanges(100);
  for (let end = 3; end <= 3000; end += 3) recent.note(records(3), end);
  expect(recent.end - recent.start).toBeWithin(90, 126);
  expect(recent.at(recent.start)?.start).toBe(recent.start);
  recent.note(records(5000), recent.end + 5000);
  expect(recent.end - recent.start).toBe(5000);
});

test("it has no gap: what came before one is forgotten", () => {
  const recent = new RecentChanges();
  recent.note(records(2), 2);
  recent.note(records(2), 10);
  expect([recent.start, recent.end, recent.at(1)]).toEqual([8, 10, null]);
  recent.reset(20);
  expect([recent.start, recent.end, recent.at(9)]).toEqual([20, 20, null]);
});

test("who listens hears of each change until he ends it", () => {
  const recent = new RecentChanges();
  let heard = 0;
  const end = recent.onChange(() => heard++);
  recent.note(records(1), 1);
  recent.reset(5);
  end();
  recent.note(records(1), 6);
  expect(heard).toBe(2);
});

test("a controller that begins with a snapshot has nothing from before it", async () => {
  const log = new MemoryMetadataLog();
  await log.append(0, records(7));
  await log.writeSnapshot({ position: 7, records: records(1) });
  const recent = new RecentChanges();
  const metadata = new MetadataCache(BrokerConfig.of(), 1);
  const [clock, random, logger] = [bunClock, bunRandom, silentLogger];
  const controller = Controller.candidate({ clock, random, logger, log, metadata, recent });
  await controller.activate();
  expect([metadata.image.position, recent.start, recent.end]).toEqual([7, 7, 7]);
});
