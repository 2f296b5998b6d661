/** Figures of the last minutes, kept as long as the page is open. */
import { useEffect, useRef, useState } from "preact/hooks";

/** Points in time with the same figures. */
export interface History<K extends string> {
  readonly times: readonly number[];
  readonly values: Readonly<Record<K, readonly (number | null)[]>>;
}

const POINTS_MAX = 300;

/** Adds `figures` to the history whenever `sample` is another answer. */
export function useHistory<K extends string>(
  sample: unknown,
  figures: Readonly<Record<K, number | null>> | null,
): History<K> | null {
  const kept = useRef<History<K> | null>(null);
  const [history, setHistory] = useState<History<K> | null>(null);
  useEffect(() => {
    if (figures === null) return;
    const before = kept.current;
    const values = {} as Record<K, readonly (number | null)[]>;
    for (const name of Object.keys(figures) as K[]) {
      values[name] = [...(before?.values[name] ?? []), figures[name]].slice(-POINTS_MAX);
    }
    const times = [...(before?.times ?? []), Date.now()].slice(-POINTS_MAX);
    kept.current = { times, values };
    setHistory(kept.current);
  }, [sample]);
  return history;
}
