/** Asks the admin API of a kstream broker, for commands that Kafka's protocol has nothing for. */
import { Option } from "@commander-js/extra-typings";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";
import { jsonOf, urlBelow, webAddress } from "./web-address.ts";

/** Where commands look for the admin API unless told. */
export const DEFAULT_ADMIN_URL = "http://127.0.0.1:8080";

const ADDRESS = { flag: "--admin", what: "an admin API", example: DEFAULT_ADMIN_URL };

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
  const address = webAddress(options.admin, ADDRESS);
  const { base, headers } = address;
  const late = AbortSignal.timeout(options.timeout * 1000);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(urlBelow(address, request.path), {
      method: request.method,
      redirect: "manual",
      signal: AbortSignal.any([late, ...request.signal === undefined ? [] : [request.signal]]),
      headers: {
        ...headers,
        ...(request.method !== "GET" && { "content-type": "application/json" }),
      },
      ...(request.method !== "GET" && { body: JSON.stringify(request.body ?? {}) }),
    });
    text = await answer.text();
  } catch (error) {
    throw unreachable(base, options.timeout, error);
  }
  const json = jsonOf(text);
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

/** The sentence of a problem (RFC 9457). */
function detailOf(problem: unknown): string {
  const isStruct = typeof problem === "object" && problem !== null;
  if (isStruct && "detail" in problem && typeof problem.detail === "string") return problem.detail;
  return "the admin API refused without a reason";
}
