/** The time, again and again while the page is looked at, for what is shown as an age. */
import { useEffect, useState } from "preact/hooks";

/** Milliseconds since 1970, not older than `everyMs`. */
export function useNow(everyMs: number): number {
  const [nowMs, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}
