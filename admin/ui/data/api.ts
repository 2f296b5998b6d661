/**
 * Requests to the server that these pages come from. Script and server are built as one, so answers
 * have the types that their routes declare; what fails is a `Problem` in words.
 */
import type { Answer, ApiPath, Body, ParamOf, QueryOf, WriteMethod } from "./model.ts";

/** What the server says of an error (RFC 9457), or what the browser knows of it. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Kafka's name of the error, or empty. */
    readonly error = "",
  ) {
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

declare const PATH: unique symbol;

/** An address of the API, which knows by its type what is answered there. */
export type Url<P extends ApiPath> = string & { readonly [PATH]: P };

/** What fills the names of a path, and then the query; those without names have the query alone. */
type Arguments<P extends ApiPath> = [ParamOf<P>] extends [never]
  ? [query?: Partial<Pick<Query, QueryOf<P>>>]
  : [
    params: Readonly<Record<ParamOf<P>, string | number>>,
    query?: Partial<Pick<Query, QueryOf<P>>>,
  ];

/** The address of `pattern`: `at("/v1/topics/:topic", { topic })`. */
export function at<P extends ApiPath>(pattern: P, ...given: Arguments<P>): Url<P> {
  const [first = {}, second]: readonly (Query | undefined)[] = given;
  const parts = pattern.split("/").slice(1);
  const filled = parts.map((part) => part.startsWith(":") ? String(first[part.slice(1)]) : part);
  return path(filled, pattern.includes("/:") ? second : first) as Url<P>;
}

/**
 * Sends a request; anything but success is thrown as a `Problem`. JSON that is none is an answer,
 * whatever its status: `/health` has 503 where something is wrong.
 */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "no answer", "the broker does not answer: is it running?");
  }
  const isAnswer = response.headers.get("content-type")?.startsWith("application/json") === true;
  if (response.ok || response.status === 304 || isAnswer) return response;
  throw await problemOf(response);
}

/** What an answer that is no success says. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  const fields: unknown = parseJson(text);
  if (typeof fields === "object" && fields !== null) {
    const title = "title" in fields ? String(fields.title) : response.statusText;
    const detail = "detail" in fields ? String(fields.detail) : title;
    const error = "error" in fields ? String(fields.error) : "";
    return new Problem(response.status, title, detail, error);
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

/** Reads a resource. */
export async function get<P extends ApiPath>(
  url: Url<P>,
  signal?: AbortSignal,
): Promise<Answer<P>> {
  const known = tagged.get(url);
  const response = await request(url, {
    headers: known === undefined ? {} : { "if-none-match": known.tag },
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status === 304 && known !== undefined) return known.body as Answer<P>;
  const body = await response.json();
  const tag = response.headers.get("etag");
  tagged.delete(url);
  if (tag !== null) tagged.set(url, { tag, body });
  for (const oldest of tagged.keys()) {
    if (tagged.size <= TAGGED_MAX) break;
    tagged.delete(oldest);
  }
  return body as Answer<P>;
}

/** Changes something; `body` is sent as JSON. Two clicks that are sent twice change it once. */
export async function send<M extends WriteMethod, P extends ApiPath>(
  method: M,
  url: Url<P>,
  ...[body]: undefined extends Body<P, M> ? [] : [body: Body<P, M>]
): Promise<Answer<P, M>> {
  const response = await request(url, {
    method,
    headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
    body: JSON.stringify(body ?? {}),
  });
  const text = await response.text();
  return parseJson(text) as Answer<P, M>;
}

/** Any error as a `Problem`. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "error", error instanceof Error ? error.message : String(error));
}
