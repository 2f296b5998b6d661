/** Waits for work no longer than a signal allows. The signal keeps no listener of it afterwards. */
import { type Deferred, deferred } from "./deferred.ts";

/** The result, or null if the signal is aborted first: whatever the work comes to is dropped then. */
export function nullIfAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return race<T | null>(work, signal, ({ resolve }) => resolve(null));
}

/**
 * The result; rejects with what `reason` gives, else the signal's own, if that is aborted first:
 * whatever the work comes to is dropped then.
 */
export function rejectIfAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  reason: () => unknown = () => signal.reason,
): Promise<T> {
  return race<T>(work, signal, ({ reject }) => reject(reason()));
}

async function race<T>(
  work: Promise<T>,
  signal: AbortSignal,
  leave: (left: Deferred<T>) => void,
): Promise<T> {
  const left = deferred<T>();
  const onAbort = () => leave(left);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([left.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
