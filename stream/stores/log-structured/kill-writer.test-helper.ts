/**
 * Commits batch after batch to the store in the folder that is given, until it is killed, and prints the
 * number of each batch behind its commit. What the store has after a commit follows from its number.
 */
import { BunDisk } from "../../../core/io/bun/disk.ts";
import { BlockCache } from "./block-cache.ts";
import { LogStructuredEngine } from "./log-structured-engine.ts";

const KEYS = 700;
const PUTS = 150;

/** What batch `number` puts. */
export function batchOf(number: number): (readonly [key: string, value: string | null])[] {
  return Array.from({ length: PUTS }, (_, index) => {
    const key = (number * 37 + index * 11) % KEYS;
    return [`key-${key}`, key % 13 === number % 13 ? null : `${number}`.repeat(1 + key % 40)];
  });
}

export function openIn(dir: string): LogStructuredEngine {
  const options = { cache: new BlockCache(100_000), writeBufferBytes: 100_000 };
  return LogStructuredEngine.open(new BunDisk(), dir, options);
}

if (import.meta.main) {
  const engine = openIn(process.argv[2]!);
  for (let number = Number(engine.changelogOffset ?? 0n);; number++) {
    for (const [key, value] of batchOf(number)) {
      engine.put(Buffer.from(key), value === null ? null : Buffer.from(value));
    }
    engine.commit(BigInt(number + 1));
    process.stdout.write(`${number + 1}\n`);
    if (number % 7 === 0) await engine.settled();
  }
}
