/** Entries of several engines as if they were one. */
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";

/** In the order of keys; a key is in one of them alone. */
export function* mergedEntries(
  engines: readonly StoreEngine[],
  range: BytesRange,
): IterableIterator<BytesEntry> {
  const sign = range.isReversed === true ? -1 : 1;
  const heads = engines.flatMap((engine) => {
    const rest = engine.range(range);
    const first = rest.next();
    return first.done === true ? [] : [{ rest, entry: first.value }];
  });
  while (heads.length > 0) {
    const next = heads.reduce((one, other) =>
      sign * Buffer.compare(one.entry[0], other.entry[0]) <= 0 ? one : other
    );
    yield next.entry;
    const following = next.rest.next();
    if (following.done === true) heads.splice(heads.indexOf(next), 1);
    else next.entry = following.value;
  }
}
