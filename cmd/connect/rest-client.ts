/** Asks the REST API of a Connect worker, ours or another's, for the commands. */
import { Option } from "@commander-js/extra-typings";
import { z } from "zod";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";
import { jsonOf, urlBelow, type WebAddress, webAddress } from "../web-address.ts";

/** Where commands look for a worker unless told. */
const DEFAULT_WORKER_URL = "http://127.0.0.1:8083";

const ADDRESS = {
  flag: "--worker",
  what: "a worker's REST API",
  example: DEFAULT_WORKER_URL,
};

/** A group that shares its work out is asked again after it. */
const REBALANCE_PAUSE_MS = 200;

/** Options of every command that asks a worker. */
export interface WorkerOptions {
  readonly worker: string;
  /** Seconds. */
  readonly timeout: number;
}

/** `--worker`. */
export function workerOption() {
  const what = "where a worker's REST API is: http(s)://[user:password@]host:port";
  return new Option("--worker <url>", what).default(DEFAULT_WORKER_URL);
}

/** A request to a worker. */
export interface WorkerRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

const refusal = z.object({ error_code: z.number(), message: z.string() });

/** What a worker answers, and how. */
export interface WorkerAnswer {
  readonly status: number;
  /** Undefined: nothing. */
  readonly json: unknown;
}

/**
 * The answer, of a good status or one of `allowed`. Throws an `OperatorError`: the worker's refusal in
 * its words, or why there is no answer (exit code 3).
 */
export async function askWorker(
  options: WorkerOptions,
  request: WorkerRequest,
  allowed: readonly number[] = [],
): Promise<WorkerAnswer> {
  const address = webAddress(options.worker, ADDRESS);
  const { base } = address;
  const untilMs = performance.now() + options.timeout * 1000;
  let { status, text } = await send(address, options, request);
  while (isRebalance(status, text) && performance.now() < untilMs) {
    await Bun.sleep(REBALANCE_PAUSE_MS);
    ({ status, text } = await send(address, options, request));
  }
  const json = text === "" ? undefined : jsonOf(text);
  if ((status >= 200 && status < 300) || allowed.includes(status)) return { status, json };
  const refused = refusal.safeParse(json);
  if (refused.success) throw new OperatorError(refused.data.message, "", "", 1);
  if (status === 401) {
    const how = "give --worker as http://user:password@host:port";
    throw new OperatorError(`the worker at ${base.host} asks who you are`, "", how);
  }
  throw new OperatorError(
    `what answers at ${base.origin} is no Connect worker`,
    `it answers ${request.path} with ${status}`,
    "give the address of its REST API with --worker",
  );
}

/** Whether the group is about to share its work out: it answers such requests a moment later. */
function isRebalance(status: number, text: string): boolean {
  return status === 409 && /rebalance/i.test(text);
}

async function send(
  address: WebAddress,
  { timeout }: WorkerOptions,
  { method, path, body }: WorkerRequest,
) {
  const { base } = address;
  const headers: Record<string, string> = { ...address.headers, accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const answer = await fetch(urlBelow(address, path), {
      method,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(timeout * 1000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    throw new OperatorError(
      `no worker answers at ${base.origin}`,
      reasonOf(error),
      'start one with "kstream connect worker", or say where it is with --worker',
      3,
    );
  }
}

/** The answer as the schema has it. Throws `OperatorError` for what no worker would say. */
export function read<T>(schema: z.ZodType<T>, { json }: WorkerAnswer, path: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined ? "" : `${issue.path.join(".")}: ${issue.message}`;
  throw new OperatorError(`the worker's answer to ${path} is none of Connect's`, where, "");
}

/** The path of a connector. */
export function pathOf(connector: string, rest = ""): string {
  return `/connectors/${encodeURIComponent(connector)}${rest}`;
}
