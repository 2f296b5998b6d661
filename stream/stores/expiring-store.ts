/**
 * A store whose entries are gone some time after they were put. Its time is the highest of the records
 * that its task was at when something was put, or was looked for; what punctuators do has the time that
 * it is then. The time of an entry goes to its changelog, so that one that is restored ends when it would
 * have ended.
 */
import type { RecordContext } from "../task/record-context.ts";
import type { ExpiringEngine } from "./expiring-engine.ts";
import type { StoreEngine } from "./engine.ts";
import { type OpenStore, storeOfFormat, type StoreParts } from "./key-value-store.ts";
import { LoggedEngine } from "./logged-engine.ts";
import { timestampOf, withoutTimestamp, withTimestamp } from "./timestamped-value.ts";

/** See the head of the file. */
export function expiringStore<K, V>(
  { topic, keySerde, valueSerde, onChange }: Omit<StoreParts<K, V>, "engine" | "cache">,
  expiring: ExpiringEngine,
  context: RecordContext,
): OpenStore<K, V> {
  const below = onChange === null ? expiring : new LoggedEngine(
    expiring,
    (bytes) => [withoutTimestamp(bytes), timestampOf(bytes)],
    onChange,
  );
  const engine = new TimelyEngine(below, () => {
    // A punctuator of the wall clock has a time that records may be far from.
    if (context.now.origin !== null) expiring.pass(context.now.timestampMs);
  });
  return storeOfFormat<K, V>({ engine, topic, keySerde }, {
    write(value) {
      engine.keepUp();
      return withTimestamp(valueSerde.serialize(value, topic), Math.max(expiring.timeMs, 0));
    },
    read: (bytes) => valueSerde.deserialize(withoutTimestamp(bytes), topic),
    isKept: () => false,
  });
}

/** Lets time pass before anything is looked for. */
class TimelyEngine implements StoreEngine {
  constructor(private readonly engine: StoreEngine, readonly keepUp: () => void) {}

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    this.keepUp();
    return this.engine.get(key);
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.engine.put(key, value);
  }

  range(range: Parameters<StoreEngine["range"]>[0]): ReturnType<StoreEngine["range"]> {
    this.keepUp();
    return this.engine.range(range);
  }

  close(): void {
    this.engine.close();
  }
}
