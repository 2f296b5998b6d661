/** The broker's counters, again and again. */
import { useEffect, useState } from "preact/hooks";
import { asProblem, type Problem } from "./api.ts";
import { isFinal } from "./use-resource.ts";
import { getMetrics, type Metrics } from "./metrics.ts";

/** The latest samples. */
export interface Samples {
  readonly before: Metrics | null;
  readonly now: Metrics | null;
  readonly problem: Problem | null;
}

/** Asks each `everyMs` while the page is looked at. */
export function useMetrics(everyMs: number): Samples {
  const [samples, setSamples] = useState<Samples>({ before: null, now: null, problem: null });
  useEffect(() => {
    const abort = new AbortController();
    let isUnderWay = false;
    const sample = async () => {
      if (isUnderWay || document.hidden) return;
      isUnderWay = true;
      try {
        const now = await getMetrics(abort.signal);
        setSamples((last) => ({ before: last.now, now, problem: null }));
      } catch (error) {
        if (abort.signal.aborted) return;
        const problem = asProblem(error);
        if (isFinal(problem)) clearInterval(timer);
        setSamples((last) => ({ ...last, problem }));
      } finally {
        isUnderWay = false;
      }
    };
    const timer = setInterval(() => void sample(), everyMs);
    void sample();
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, []);
  return samples;
}
