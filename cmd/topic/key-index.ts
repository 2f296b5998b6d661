/**
 * Looks keys up by the index that kstream's brokers keep (`GET /v1/topics/T/keys/K`). Where there is
 * none, or it does not answer, nobody hears of it: reading the topic gives the same records.
 */
import { OperatorError } from "../../core/operator-error.ts";
import { isIpAddress } from "../../core/ip-address.ts";
import { type AdminRequest, DEFAULT_ADMIN_URL, requestAdmin } from "../admin-client.ts";
import { parseBrokers } from "../client.ts";
import { type EnvelopeRecord, parseEnvelope } from "../../core/text/envelope.ts";
import { progressOnTerminal } from "../terminal.ts";

/** Whether there is an admin API is known after so many seconds. */
const PROBE_SECONDS = 2;
/** A broker answers before, if only that it needs more time. */
const SEARCH_SECONDS = 45;
/** Longer keys do not fit an address. */
const KEY_BYTES_MAX = 4096;

/** Where an index may be. */
export interface KeyIndexOptions {
  readonly brokers: string;
  /** Null or `off` for none; if it is left out, on this host if the brokers are. */
  readonly admin?: string | undefined;
}

/** What is looked for. */
export interface KeyIndexQuery {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly partitions: readonly number[];
  /** All records instead of the latest one. */
  readonly history?: boolean | undefined;
}

/** The index of this cluster; null if there is none, or it cannot be told from another's. */
export async function findKeyIndex(
  clusterId: string | null,
  options: KeyIndexOptions,
  signal: AbortSignal,
): Promise<KeyIndex | null> {
  const isLocal = parseBrokers(options.brokers).every(({ host }) => isThisHost(host));
  const admin = options.admin ?? (isLocal ? DEFAULT_ADMIN_URL : "off");
  if (admin === "off" || clusterId === null) return null;
  const index = new KeyIndex(admin, signal);
  const answer = await index.ask("/ready", PROBE_SECONDS);
  return fieldOf(answer?.json, "clusterId") === clusterId ? index : null;
}

/** Of several partitions' latest records the latest; of several of one time, the first one's. */
export function latestOf(lasts: Iterable<EnvelopeRecord>): EnvelopeRecord[] {
  return [...lasts]
    .sort((a, b) => b.timestampMs - a.timestampMs || a.partition - b.partition)
    .slice(0, 1);
}

/** See the head of this file. */
export class KeyIndex {
  readonly #show = progressOnTerminal(false);

  constructor(readonly admin: string, readonly signal: AbortSignal) {}

  /** The records of a key, as reading the topic would give them; null if the index cannot say. */
  async find(query: KeyIndexQuery): Promise<EnvelopeRecord[] | null> {
    if (query.key.length > KEY_BYTES_MAX) return null;
    const found: EnvelopeRecord[] = [];
    for (const partition of query.partitions) {
      for (let from: number | null = 0; from !== null;) {
        const page = await this.#page(query, partition, from);
        if (page === null) return null;
        found.push(...page.records);
        from = page.nextOffset;
      }
    }
    this.#show?.("");
    return query.history ? found : latestOf(found);
  }

  /** An answer of the admin API; null if there is none, or it is another program's. */
  async ask(path: string, timeoutSeconds: number) {
    const request: AdminRequest = { method: "GET", path, signal: this.signal };
    try {
      return await requestAdmin({ admin: this.admin, timeout: timeoutSeconds }, request);
    } catch (error) {
      // A flag that cannot be read is another matter.
      if (!(error instanceof OperatorError) || error.exitCode === 2) throw error;
      this.signal.throwIfAborted();
      return null;
    }
  }

  async #page(query: KeyIndexQuery, partition: number, from: number): Promise<Page | null> {
    const { topic, key, history } = query;
    const name = key.toBase64({ alphabet: "base64url", omitPadding: true });
    const parameters = new URLSearchParams({ encoding: "base64url", partition: `${partition}` });
    if (history) {
      parameters.set("history", "true");
      parameters.set("from", String(from));
    }
    const path = `/v1/topics/${encodeURIComponent(topic)}/keys/${name}?${parameters.toString()}`;
    for (;;) {
      const answer = await this.ask(path, SEARCH_SECONDS);
      if (answer?.status === 200) return parsePage(answer.json);
      if (fieldOf(answer?.json, "title") !== "still indexing") return null;
      this.#show?.(String(fieldOf(answer?.json, "detail")));
    }
  }
}

interface Page {
  readonly records: readonly EnvelopeRecord[];
  readonly nextOffset: number | null;
}

/** A broker of another version may answer otherwise: then its index is left alone. */
function parsePage(json: unknown): Page | null {
  const nextOffset = fieldOf(json, "nextOffset");
  const records = fieldOf(json, "records");
  if (!Array.isArray(records) || (nextOffset !== null && !isOffset(nextOffset))) return null;
  const parsed = records.map(parseRecord);
  if (parsed.some((record) => record === null)) return null;
  return { records: parsed.filter((record) => record !== null), nextOffset };
}

function parseRecord(json: unknown): EnvelopeRecord | null {
  const topic = fieldOf(json, "topic");
  const offset = fieldOf(json, "offset");
  if (typeof topic !== "string" || !isOffset(offset)) return null;
  try {
    const { partition, timestampMs, ...rest } = parseEnvelope(
      new TextEncoder().encode(JSON.stringify(json)),
    );
    if (partition === null || timestampMs === null) return null;
    const isAppendTime = fieldOf(json, "timestampType") === "LogAppendTime";
    return { topic, partition, offset: BigInt(offset), timestampMs, ...rest, isAppendTime };
  } catch {
    return null;
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function fieldOf(json: unknown, name: string): unknown {
  const isStruct = typeof json === "object" && json !== null;
  return isStruct ? Object.getOwnPropertyDescriptor(json, name)?.value : undefined;
}

function isThisHost(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIpAddress(host) && host.startsWith("127."));
}
