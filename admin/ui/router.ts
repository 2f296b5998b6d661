/** Where the user is: the path below `/ui` and its parameters. Back, forward and links work. */
import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

/** The prefix of all pages. */
const BASE = "/ui";

/** A place: the path after the prefix, and the parameters of the query. */
export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

function here(): Place {
  const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : "/";
  return { path: path === "" ? "/" : path, query: new URLSearchParams(location.search) };
}

const MOVED = "kstream:moved";

/** Goes to a path, or changes parameters of the present one without a step in the history. */
export function navigate(to: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", BASE + to);
  dispatchEvent(new Event(MOVED));
}

/** The address of a page, for links. */
export function href(to: string): string {
  return BASE + to;
}

/** Where the user is, and again whenever that changes; for the root alone. */
export function useLocation(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const moved = () => setPlace(here());
    addEventListener(MOVED, moved);
    addEventListener("popstate", moved);
    return () => {
      removeEventListener(MOVED, moved);
      removeEventListener("popstate", moved);
    };
  }, []);
  return place;
}

/** The place and what the pattern of its page has found in it. */
export interface Route extends Place {
  readonly params: Readonly<Record<string, string>>;
}

export const RouteContext = createContext<Route>({
  path: "/",
  query: new URLSearchParams(),
  params: {},
});

/** The route of the page. */
export function useRoute(): Route {
  return useContext(RouteContext);
}

/** A parameter of the query as state: changing it changes the address, so that it can be shared. */
export function useQueryState(
  name: string,
  fallback = "",
): readonly [string, (value: string) => void] {
  const { query } = useRoute();
  const set = (value: string) => setQuery({ [name]: value === fallback ? "" : value });
  return [query.get(name) ?? fallback, set];
}

/** Sets parameters of the query; empty ones are removed. */
export function setQuery(values: Readonly<Record<string, string>>): void {
  const { path, query } = here();
  for (const [name, value] of Object.entries(values)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  navigate(path + (query.size === 0 ? "" : `?${query}`), true);
}

/** What a pattern as `/topics/:topic/:tab?` finds in a path, or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (given.length > wanted.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index];
    if (part.startsWith(":")) {
      const name = part.slice(1).replace("?", "");
      if (value !== undefined) params[name] = unescaped(value);
      else if (!part.endsWith("?")) return null;
    } else if (part !== value) return null;
  }
  return params;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Follows links to other pages without loading anything. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const to = link?.getAttribute("href") ?? "";
    if (!to.startsWith(`${BASE}/`) || link?.hasAttribute("download")) return;
    event.preventDefault();
    navigate(to.slice(BASE.length));
  });
}
