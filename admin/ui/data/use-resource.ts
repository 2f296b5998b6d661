/** Hooks that read the API: once, again and again, or page after page. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, type Problem, type Url } from "./api.ts";
import type { Answer, ApiPath } from "./model.ts";

/** What is known of a resource. */
export interface Resource<T> {
  /** The latest answer; null until there is one. */
  readonly data: T | null;
  /** Why the latest request failed, or null. */
  readonly problem: Problem | null;
  reload(): void;
}

/** What asking again does not change: who one is, what one may, what there is. */
const FINAL: readonly number[] = [401, 403, 404];

/** Whether it is no use to ask again. */
export function isFinal({ status }: Problem): boolean {
  return FINAL.includes(status);
}

/**
 * Reads `url` (null: nothing), and again each `everyMs` while the page is looked at. One request is
 * under way at a time: a slow server is not asked faster than it answers. What is not there, or not
 * for this user, is not asked for again: a browser asks for the password at each 401.
 */
export function useResource<P extends ApiPath>(
  url: Url<P> | null,
  everyMs = 0,
): Resource<Answer<P>> {
  return useReading(url, get<P>, everyMs);
}

/** As `useResource`, by whatever `read` makes of an address; it is the same function each time. */
export function useReading<U extends string, T>(
  url: U | null,
  read: (url: U, signal: AbortSignal) => Promise<T>,
  everyMs = 0,
): Resource<T> {
  const [state, setState] = useState<
    { url: string | null; data: T | null; problem: Problem | null }
  >(
    { url, data: null, problem: null },
  );
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    if (url === null) return;
    const abort = new AbortController();
    let isGone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const readOnce = async () => {
      try {
        const data = await read(url, abort.signal);
        setState((before) => {
          const isSame = before.data === data && before.url === url && before.problem === null;
          return isSame ? before : { url, data, problem: null };
        });
      } catch (error) {
        if (abort.signal.aborted) return;
        const problem = asProblem(error);
        isGone = isFinal(problem);
        setState((before) => ({ url, data: before.url === url ? before.data : null, problem }));
      }
      if (everyMs > 0 && !isGone && !abort.signal.aborted) timer = setTimeout(next, everyMs);
    };
    const next = () => {
      if (document.hidden) document.addEventListener("visibilitychange", next, { once: true });
      else void readOnce();
    };
    void readOnce();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", next);
    };
  }, [url, everyMs, round]);
  const isOther = state.url !== url;
  return { data: isOther ? null : state.data, problem: isOther ? null : state.problem, reload };
}

/** A page of a list as the API answers it, once what it lists has been picked out. */
export interface ListPage<T> {
  readonly items: readonly T[];
  /** How many there are in all, where the server says. */
  readonly total: number | null;
  /** Where the next page begins; null at the end. */
  readonly cursor: string | null;
}

/** A list that is read page by page. */
export interface PagedList<T> {
  readonly items: readonly T[];
  readonly total: number | null;
  readonly isComplete: boolean;
  readonly isLoading: boolean;
  readonly problem: Problem | null;
  /** Reads the next page, if none is under way. */
  more(): void;
  reload(): void;
}

/** Reads a list from `urlOf(cursor)`; begins anew when `key` changes. */
export function usePagedList<T>(
  key: string,
  read: (cursor: string | null, signal: AbortSignal) => Promise<ListPage<T>>,
): PagedList<T> {
  const empty = { items: [] as readonly T[], total: null, cursor: null, problem: null };
  const [state, setState] = useState<
    Omit<ListPage<T>, "items"> & {
      items: readonly T[];
      problem: Problem | null;
      key: string | null;
    }
  >({ ...empty, key: null });
  const [round, setRound] = useState(0);
  const under = useRef<AbortController | null>(null);
  const [isLoading, setLoading] = useState(true);
  const load = async (cursor: string | null) => {
    const abort = new AbortController();
    under.current = abort;
    setLoading(true);
    try {
      const page = await read(cursor, abort.signal);
      if (abort.signal.aborted) return;
      setState((before) => {
        const items = cursor === null ? page.items : [...before.items, ...page.items];
        return { ...page, items, total: page.total ?? before.total, problem: null, key };
      });
    } catch (error) {
      if (abort.signal.aborted) return;
      setState((before) => ({ ...before, problem: asProblem(error), key }));
    } finally {
      if (under.current === abort) {
        under.current = null;
        setLoading(false);
      }
    }
  };
  useEffect(() => {
    void load(null);
    return () => under.current?.abort();
  }, [key, round]);
  return {
    items: state.items,
    total: state.total,
    problem: state.problem,
    isComplete: state.key === key && state.cursor === null && state.problem === null,
    isLoading,
    more: () => {
      if (under.current === null && state.cursor !== null) void load(state.cursor);
    },
    reload: () => setRound((before) => before + 1),
  };
}

/** The latest value that was there: a list stays while another one is on its way. */
export function useLatest<T>(value: T | null): T | null {
  const latest = useRef(value);
  if (value !== null) latest.current = value;
  return latest.current;
}

/** The value as it was `ms` ago at the latest: what is typed is not searched at each key. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
