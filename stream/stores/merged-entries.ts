/** Entries of several engines as if they were one. */
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";

/** Where it is in an engine. */
interface Head {
  readonly rest: IterableIterator<BytesEntry>;
  entry: BytesEntry;
}

/** In the order of keys; a key is in one of them alone. */
export function* mergedEntries(
  engines: readonly StoreEngine[],
  range: BytesRange,
): IterableIterator<BytesEntry> {
  const sign = range.isReversed === true ? -1 : 1;
  const heads: Head[] = [];
  try {
    for (const engine of engines) {
      const rest = engine.range(range);
      const first = rest.next();
      if (first.done !== true) heads.push({ rest, entry: first.value });
    }
    while (heads.length > 0) {
      const next = heads.reduce((one, other) =>
        sign * Buffer.compare(one.entry[0], other.entry[0]) <= 0 ? one : other
      );
      yield next.entry;
      const following = next.rest.next();
      if (following.done === true) heads.splice(heads.indexOf(next), 1);
      else next.entry = following.value;
    }
  } finally {
    // What is on disk is held as long as somebody goes through it.
    for (const { rest } of heads) rest.return?.();
  }
}
