/** Asks the admin API of a kstream broker, for commands that Kafka's protocol has nothing for. */
import { Option } from "@commander-js/extra-typings";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";

/** Where commands look for the admin API unless told. */
export const DEFAULT_ADMIN_URL = "http://127.0.0.1:8080";

/** Options of every command that asks the admin API. */
export interface AdminApiOptions {
  readonly admin: string;
  /** Seconds. */
  readonly timeout: number;
}

/** `--admin`. */
export function adminUrlOption() {
  const what = "where the broker's admin API is: http(s)://[user:password@]host:port";
  return new Option("--admin <url>", what).default(DEFAULT_ADMIN_URL);
}

/** A request to the admin API. */
export interface AdminRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/v1/…` */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/**
 * The answer's JSON. Throws an `OperatorError`: the broker's refusal in its words, or why there is
 * no answer (exit code 3), such as that the broker is none of kstream's.
 */
export async function askAdmin(options: AdminApiOptions, request: AdminRequest): Promise<unknown> {
  const { status, json } = await requestAdmin(options, request);
  if (status >= 200 && status < 300) return json;
  throw new OperatorError(detailOf(json), "", "", status === 400 ? 2 : 1);
}

/** As `askAdmin`, but a refusal is an answer, too: its JSON is a problem (RFC 9457). */
export async function requestAdmin(
  options: AdminApiOptions,
  request: AdminRequest,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const url = parseAdminUrl(options.admin);
  const base = new URL(url.origin);
  const authorization = basicAuth(url);
  const late = AbortSignal.timeout(options.timeout * 1000);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(new URL(request.path, base), {
      method: request.method,
      redirect: "manual",
      signal: AbortSignal.any([late, ...request.signal === undefined ? [] : [request.signal]]),
      headers: {
        ...authorization,
        ...(request.method !== "GET" && { "content-type": "application/json" }),
      },
      ...(request.method !== "GET" && { body: JSON.stringify(request.body ?? {}) }),
    });
    text = await answer.text();
  } catch (error) {
    throw unreachable(base, options.timeout, error);
  }
  const json = parseJson(text);
  if (answer.headers.get("server") !== "kstream" || json === undefined) {
    throw new OperatorError(
      `what answers at ${base.origin} is no admin API of kstream`,
      "",
      "name the address that the broker printed at its start, with --admin",
      1,
    );
  }
  return { status: answer.status, json };
}

/** What stands for name and password in a message. */
const SECRETS = "//…@";

function parseAdminUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== null && isHttp && url.hostname !== "" && text !== "off") return url;
  throw unreadable(
    text.replace(/\/\/[^@]*@/, SECRETS),
    "it is no address of an admin API",
    `write it as ${DEFAULT_ADMIN_URL}`,
  );
}

function unreadable(shown: string, why: string, hint: string): OperatorError {
  return new OperatorError(`--admin cannot be read: "${shown}"`, why, hint, 2);
}

/** Name and password of the URL, which are no part of what is asked. */
function basicAuth({ username, password, protocol, host }: URL): Record<string, string> {
  if (username === "") return {};
  const decoded = (part: string, what: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw unreadable(
        `${protocol}${SECRETS}${host}`,
        `the ${what} has a % that begins no escape of UTF-8`,
        "write % as %25, and other special characters as their escapes",
      );
    }
  };
  const text = `${decoded(username, "user name")}:${decoded(password, "password")}`;
  return { authorization: `Basic ${Buffer.from(text).toString("base64")}` };
}

function unreachable(base: URL, timeoutSeconds: number, error: unknown): OperatorError {
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  const why = isTimeout ? `nothing came within ${timeoutSeconds} s` : reasonOf(error);
  return new OperatorError(
    `no admin API answers at ${base.origin}`,
    why,
    "it needs a broker of kstream's with --admin; name the address that it printed with --admin URL",
    3,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentence of a problem (RFC 9457). */
function detailOf(problem: unknown): string {
  const isStruct = typeof problem === "object" && problem !== null;
  if (isStruct && "detail" in problem && typeof problem.detail === "string") return problem.detail;
  return "the admin API refused without a reason";
}
