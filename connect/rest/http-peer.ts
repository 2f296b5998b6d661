/** Requests of one worker to another: those of users, sent on to who can answer them, and their own. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../core/io.ts";
import type { RawConfig } from "../config/parse.ts";
import type { SessionKey } from "../herder/config-records.ts";
import { HerderError } from "../herder/errors.ts";
import type { LeaderRequests } from "../herder/herder.ts";
import type { LeaderLink } from "../herder/leader-link.ts";
import { KEY_ALGORITHM } from "../herder/session-keys.ts";

/** As `fetch`. */
export type AskHttp = (url: string, init: RequestInit) => Promise<Response>;

/** What carries the signature, and how it was made (as in Connect). */
export const SIGNATURE_HEADER = "x-connect-authorization";
export const ALGORITHM_HEADER = "x-connect-request-signature-algorithm";
/** How long another worker is waited for. */
const TIMEOUT_MS = 90_000;

/** Asks another worker. Throws `HerderError` if it cannot be reached. */
export async function askPeer(
  clock: Clock,
  ask: AskHttp,
  url: string,
  init: RequestInit,
  timeoutMs = TIMEOUT_MS,
): Promise<Response> {
  const enough = new AbortController();
  const timer = clock.setTimer(timeoutMs, () => enough.abort(new Error("no answer in time")));
  try {
    const response = await ask(url, { ...init, redirect: "manual", signal: enough.signal });
    // Read within the deadline; answers are small.
    const { status, headers } = response;
    return new Response(await response.arrayBuffer(), { status, headers });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HerderError(500, `IO Error trying to forward REST request: ${why}`);
  } finally {
    timer.cancel();
  }
}

/** What a request is signed with: its method, its path and its body. */
export function signatureOf(key: SessionKey, method: string, path: string, body: string): string {
  return createHmac("sha256", key.key).update(`${method}\n${path}\n${body}`).digest("base64");
}

/** Throws `HerderError` unless the request was signed with the group's key. */
export function requireSignature(key: SessionKey | null, request: Request, body: string): void {
  const given = request.headers.get(SIGNATURE_HEADER);
  if (given === null) throw new HerderError(400, "Internal request missing required signature");
  const algorithm = request.headers.get(ALGORITHM_HEADER);
  if (algorithm !== KEY_ALGORITHM) {
    throw new HerderError(
      400,
      `This worker does not support the '${algorithm}' key signing algorithm used by other workers. ` +
        `This worker is currently configured to use: ${KEY_ALGORITHM}.`,
    );
  }
  if (key === null) {
    throw new HerderError(
      503,
      "This worker is still in the process of starting up and has not yet read a session key",
    );
  }
  const right = signatureOf(key, request.method, new URL(request.url).pathname, body);
  const [a, b] = [given, right].map((text) => new TextEncoder().encode(text));
  if (a!.length !== b!.length || !timingSafeEqual(a!, b!)) {
    throw new HerderError(403, "Internal request contained invalid signature.");
  }
}

/** See the head of the file: the leader, by its REST API. */
export class HttpLeaderLink implements LeaderLink {
  constructor(
    private readonly clock: Clock,
    private readonly ask: AskHttp,
    private readonly key: () => SessionKey | null,
  ) {}

  requests(url: string): LeaderRequests {
    const path = (connector: string) => `/connectors/${encodeURIComponent(connector)}`;
    return {
      putTaskConfigs: (connector, configs: readonly RawConfig[]) =>
        this.#send(url, "POST", `${path(connector)}/tasks`, JSON.stringify(configs)),
      fence: (connector) => this.#send(url, "PUT", `${path(connector)}/fence`, "[]"),
    };
  }

  async #send(url: string, method: string, path: string, body: string): Promise<void> {
    const key = this.key();
    if (key === null) throw new HerderError(503, "there is no session key yet");
    const headers = {
      "content-type": "application/json",
      [SIGNATURE_HEADER]: signatureOf(key, method, path, body),
      [ALGORITHM_HEADER]: KEY_ALGORITHM,
    };
    const response = await askPeer(this.clock, this.ask, new URL(path, url).href, {
      method,
      headers,
      body,
    });
    if (response.ok) return;
    throw new HerderError(response.status, `the leader refuses: ${await response.text()}`);
  }
}
