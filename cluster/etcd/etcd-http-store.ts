/**
 * etcd through its JSON gateway, with `fetch`. Compared with the npm client over gRPC in the compiled
 * binary it answers sooner and needs a quarter of the processor time, see `docs/ARCHITECTURE.md`.
 *
 * Calls go to one endpoint until it fails; then to the next, with the watches. A request that may
 * have reached etcd is never sent twice: what that means is known only to who sent it.
 */
import { AssertionError } from "../../core/assert.ts";
import {
  entryOf,
  EtcdJsonError,
  failureOf,
  fieldsOf,
  integerOf,
  isTokenOver,
  listOf,
  resultsOf,
  textOf,
  txnToJson,
} from "./etcd-json.ts";
import {
  type EtcdLease,
  type EtcdResult,
  type EtcdStore,
  type EtcdTxn,
  type EtcdTxnAnswer,
  type EtcdWatchListener,
  failed,
} from "./etcd-store.ts";

/** Where etcd is. Certificates and keys are PEM texts. */
export interface EtcdHttpOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoints: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

type Fields = ReadonlyMap<string, unknown>;

/** How long a watch may take to begin. */
const WATCH_BEGIN_MS = 5000;
/** Head and controller are small; what is longer is not etcd's. */
const WATCH_LINE_CHARS_MAX = 4 << 20;
/** How `fetch` says that no connection came about, so that nothing was sent. */
const NOT_CONNECTED =
  /^(ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|DNS)/;

/** See the head of this file. */
export class EtcdHttpStore implements EtcdStore {
  readonly #options: EtcdHttpOptions;
  readonly #watches = new Map<AbortController, string>();
  #at = 0;
  #token: Promise<EtcdResult<string>> | null = null;
  /** etcd's own id of its cluster: endpoints of two clusters must not be mixed. */
  #clusterId = "";
  #isClosed = false;

  constructor(options: EtcdHttpOptions) {
    this.#options = options;
  }

  async txn(txn: EtcdTxn, timeoutMs: number): Promise<EtcdResult<EtcdTxnAnswer>> {
    return map(await this.#call("/v3/kv/txn", txnToJson(txn), timeoutMs), (answer) => ({
      succeeded: answer.get("succeeded") === true,
      revision: integerOf(fieldsOf(answer.get("header")), "revision"),
      results: resultsOf(answer),
    }));
  }

  async grantLease(ttlMs: number, timeoutMs: number): Promise<EtcdResult<EtcdLease>> {
    const body = { TTL: String(Math.ceil(ttlMs / 1000)) };
    return map(await this.#call("/v3/lease/grant", body, timeoutMs), leaseOf);
  }

  async keepLeaseAlive(id: string, timeoutMs: number): Promise<EtcdResult<EtcdLease>> {
    const answer = await this.#call("/v3/lease/keepalive", { ID: id }, timeoutMs);
    const lease = map(answer, (fields) => leaseOf(fieldsOf(fields.get("result"))));
    if (!lease.ok || lease.value.ttlMs > 0) return lease;
    return failed("no-lease", `etcd has no lease ${id} any more`);
  }

  async revokeLease(id: string, timeoutMs: number): Promise<EtcdResult<void>> {
    return map(await this.#call("/v3/lease/revoke", { ID: id }, timeoutMs), () => {});
  }

  watch(key: string, fromRevision: number, listener: EtcdWatchListener): () => void {
    const aborter = new AbortController();
    let isStopped = false;
    const stop = () => {
      isStopped = true;
      aborter.abort();
    };
    const guarded: EtcdWatchListener = {
      onChange: (entry, revision) => {
        if (!isStopped) listener.onChange(entry, revision);
      },
      onEnd: (message) => {
        if (isStopped) return;
        isStopped = true;
        listener.onEnd(message);
      },
    };
    void this.#watch(key, fromRevision, guarded, aborter);
    return stop;
  }

  /** Ends all watches; calls are refused from now on. */
  close(): void {
    this.#isClosed = true;
    for (const aborter of this.#watches.keys()) aborter.abort();
  }

  get #endpoint(): string {
    const { endpoints } = this.#options;
    return endpoints[this.#at % endpoints.length] ?? "";
  }

  /** This endpoint is of no use now; watches on it may be silent for ever. */
  #leave(endpoint: string): void {
    if (endpoint !== this.#endpoint) return;
    this.#at++;
    for (const [aborter, at] of this.#watches) if (at === endpoint) aborter.abort();
  }

  async #call(path: string, body: object, timeoutMs: number): Promise<EtcdResult<Fields>> {
    const signal = AbortSignal.timeout(timeoutMs);
    let result = await this.#send(path, body, signal);
    // A token that has ended: the request was not looked at.
    if (result.ok && isTokenOver(result.value.answer) && this.#options.user !== undefined) {
      this.#token = null;
      result = await this.#send(path, body, signal);
    }
    if (!result.ok) return result;
    const { answer, endpoint } = result.value;
    if (!answer.has("code") && !answer.has("error")) return this.#checkCluster(answer, endpoint);
    const failure = failureOf(answer, endpoint);
    if (failure.kind === "unavailable") this.#leave(endpoint);
    return { ok: false, failure };
  }

  #checkCluster(answer: Fields, endpoint: string): EtcdResult<Fields> {
    const header = fieldsOf(answer.get("header") ?? fieldsOf(answer.get("result")).get("header"));
    const id = textOf(header, "cluster_id");
    this.#clusterId ||= id;
    if (id === this.#clusterId) return { ok: true, value: answer };
    return failed(
      "refused",
      `etcd at ${endpoint} belongs to another etcd cluster than the other addresses; correct them`,
    );
  }

  /** To the first endpoint that can be connected to. */
  async #send(
    path: string,
    body: object,
    signal: AbortSignal,
  ): Promise<EtcdResult<{ answer: Fields; endpoint: string }>> {
    if (this.#isClosed) return failed("refused", "the connection to etcd has been closed");
    const text = JSON.stringify(body);
    let last = "there is no address of etcd";
    for (const _ of this.#options.endpoints) {
      const endpoint = this.#endpoint;
      const token = await this.#tokenFor(path, signal);
      if (!token.ok) return token;
      try {
        const response = await this.#fetch(endpoint + path, text, token.value, signal);
        return { ok: true, value: { answer: await parse(response, endpoint), endpoint } };
      } catch (error) {
        last = `etcd at ${endpoint} ${reasonOf(error)}`;
        this.#leave(endpoint);
        if (!isNotConnected(error)) break;
      }
    }
    return failed("unavailable", last);
  }

  #fetch(url: string, body: string, token: string, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(token === "" ? [] : [["Authorization", token]]);
    const { tls } = this.#options;
    return fetch(url, {
      method: "POST",
      body,
      headers,
      signal,
      ...(tls ? { tls: { ...tls } } : {}),
    });
  }

  /** "" where there is no user. One authentication at a time serves all calls. */
  async #tokenFor(path: string, signal: AbortSignal): Promise<EtcdResult<string>> {
    const { user, password = "" } = this.#options;
    if (user === undefined || path === AUTHENTICATE) return { ok: true, value: "" };
    this.#token ??= this.#authenticate(user, password, signal);
    const token = await this.#token;
    if (!token.ok) this.#token = null;
    return token;
  }

  async #authenticate(
    name: string,
    password: string,
    signal: AbortSignal,
  ): Promise<EtcdResult<string>> {
    const sent = await this.#send(AUTHENTICATE, { name, password }, signal);
    if (!sent.ok) return sent;
    const { answer, endpoint } = sent.value;
    if (answer.has("token")) return { ok: true, value: textOf(answer, "token") };
    return { ok: false, failure: failureOf(answer, endpoint) };
  }

  async #watch(
    key: string,
    fromRevision: number,
    listener: EtcdWatchListener,
    aborter: AbortController,
  ): Promise<void> {
    const endpoint = this.#endpoint;
    this.#watches.set(aborter, endpoint);
    const begin = setTimeout(() => aborter.abort(), WATCH_BEGIN_MS);
    try {
      const token = await this.#tokenFor("/v3/watch", aborter.signal);
      if (!token.ok) return listener.onEnd(token.failure.message);
      const request = {
        create_request: {
          key: Buffer.from(key, "latin1").toString("base64"),
          start_revision: String(fromRevision),
        },
      };
      const body = JSON.stringify(request);
      const response = await this.#fetch(endpoint + "/v3/watch", body, token.value, aborter.signal);
      for await (const line of linesOf(response)) {
        clearTimeout(begin);
        const end = tell(fieldsOf(JSON.parse(line)), endpoint, listener);
        if (end !== null) return listener.onEnd(end);
      }
      listener.onEnd(`etcd at ${endpoint} has ended the watch`);
    } catch (error) {
      // A listener's bug is no end of a watch.
      if (error instanceof AssertionError) throw error;
      listener.onEnd(`etcd at ${endpoint} ${reasonOf(error)}`);
    } finally {
      clearTimeout(begin);
      this.#watches.delete(aborter);
      aborter.abort();
    }
  }
}

const AUTHENTICATE = "/v3/auth/authenticate";

/** Tells what a line of a watch says; why the watch is over, or null. */
function tell(line: Fields, endpoint: string, listener: EtcdWatchListener): string | null {
  if (line.has("error")) {
    const error = line.get("error");
    const answer = typeof error === "object" ? fieldsOf(error) : line;
    return failureOf(answer, endpoint).message;
  }
  const result = fieldsOf(line.get("result"));
  for (const event of listOf(result, "events")) {
    const fields = fieldsOf(event);
    const entry = entryOf(fields.get("kv"));
    listener.onChange(fields.get("type") === "DELETE" ? null : entry, entry.modRevision);
  }
  if (result.get("canceled") !== true) return null;
  const compacted = integerOf(result, "compact_revision");
  return compacted > 0
    ? `etcd has compacted its revisions up to ${compacted}`
    : `etcd at ${endpoint} has canceled the watch: ${textOf(result, "cancel_reason")}`;
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > WATCH_LINE_CHARS_MAX) throw new EtcdJsonError("sends a line without an end");
  }
}

async function parse(response: Response, endpoint: string): Promise<Fields> {
  const text = await response.text();
  try {
    const fields = fieldsOf(JSON.parse(text));
    if (response.ok || fields.has("error") || fields.has("message")) return fields;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  // What speaks HTTP but is no etcd will not become one by asking again.
  const error =
    `${endpoint} answers ${response.status}, as etcd's JSON gateway does not; is it etcd?`;
  return new Map<string, unknown>([["code", 12], ["error", error]]);
}

function leaseOf(answer: Fields): EtcdLease {
  return { id: textOf(answer, "ID"), ttlMs: integerOf(answer, "TTL") * 1000 };
}

function map<A, B>(result: EtcdResult<A>, change: (value: A) => B): EtcdResult<B> {
  if (!result.ok) return result;
  try {
    return { ok: true, value: change(result.value) };
  } catch (error) {
    if (error instanceof EtcdJsonError) return failed("refused", error.message);
    throw error;
  }
}

function codeOf(error: unknown): string {
  return textOf(fieldsOf(error), "code") ||
    (error instanceof Error && "code" in error ? String(error.code) : "");
}

function isNotConnected(error: unknown): boolean {
  return NOT_CONNECTED.test(codeOf(error));
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "did not answer in time";
  const code = codeOf(error);
  if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "refuses connections";
  const message = error instanceof Error ? error.message : String(error);
  return `cannot be asked: ${message.includes(code) ? message : `${code}, ${message}`}`;
}
