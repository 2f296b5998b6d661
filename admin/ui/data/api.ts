/**
 * Requests to the server that these pages come from. Script and server are built as one, so answers
 * have the types that their routes declare; what fails is a `Problem` in words.
 */

/** What the server says of an error (RFC 9457), or what the browser knows of it. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(readonly status: number, readonly title: string, readonly detail: string) {
    super(detail);
  }
}

/** Parameters of a request; those that are undefined or empty are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A path with its parameters, `parts` escaped. */
export function path(parts: readonly (string | number)[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const tail = search.size === 0 ? "" : `?${search}`;
  return `/${parts.map((part) => encodeURIComponent(part)).join("/")}${tail}`;
}

/** Sends a request; anything but success is thrown as a `Problem`. */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "no answer", "the broker does not answer: is it running?");
  }
  if (response.ok || response.status === 304) return response;
  throw await problemOf(response);
}

/** What an answer that is no success says. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  const fields: unknown = parseJson(text);
  if (typeof fields === "object" && fields !== null) {
    const title = "title" in fields ? String(fields.title) : response.statusText;
    const detail = "detail" in fields ? String(fields.detail) : title;
    return new Problem(response.status, title, detail);
  }
  return new Problem(response.status, response.statusText, text.slice(0, 300));
}

/** The value of a JSON text, or undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Answers by their ETags, so that what has not changed is not sent again. */
const tagged = new Map<string, { readonly tag: string; readonly body: unknown }>();
const TAGGED_MAX = 64;

/** Reads a resource, whose type its route declares. */
export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  const known = tagged.get(url);
  const response = await request(url, {
    headers: known === undefined ? {} : { "if-none-match": known.tag },
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status === 304 && known !== undefined) return known.body as T;
  const body = await response.json();
  const tag = response.headers.get("etag");
  tagged.delete(url);
  if (tag !== null) tagged.set(url, { tag, body });
  for (const oldest of tagged.keys()) {
    if (tagged.size <= TAGGED_MAX) break;
    tagged.delete(oldest);
  }
  return body as T;
}

/** Changes something; `body` is sent as JSON. Two clicks that are sent twice change it once. */
export async function send<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  body: unknown = {},
): Promise<T> {
  const response = await request(url, {
    method,
    headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return parseJson(text) as T;
}

/** Any error as a `Problem`. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "error", error instanceof Error ? error.message : String(error));
}
