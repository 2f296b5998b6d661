/** A record as JSON: what `consume -f json` prints, and what the admin API answers. */

/** A record header: names may repeat, a value may be null. */
export type HeaderEntry = readonly [name: string, value: Uint8Array | null];

/** What the envelope holds. */
export interface EnvelopeRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly HeaderEntry[];
  /** Whether the time is that of the append, by the topic's message.timestamp.type. */
  readonly isAppendTime?: boolean;
}

// `ignoreBOM` keeps a byte order mark: without it the first three bytes would be lost.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const APPEND_TIME = ',"timestampType":"LogAppendTime"';

/**
 * The line for a record, without its newline. `keyJson` and `valueJson` stand in place of the strings
 * where they are known to mean something else.
 */
export function formatEnvelope(
  record: EnvelopeRecord,
  keyJson: string = bytesToJson(record.key),
  valueJson: string = bytesToJson(record.value),
): string {
  const headers = record.headers
    .map(([name, value]) => `[${JSON.stringify(name)},${bytesToJson(value)}]`)
    .join(",");
  return `{"topic":${JSON.stringify(record.topic)},"partition":${record.partition},` +
    `"offset":${record.offset},"timestamp":${record.timestampMs},` +
    `"key":${keyJson},"value":${valueJson},` +
    `"headers":[${headers}]${record.isAppendTime ? APPEND_TIME : ""}}`;
}

/** A key, a value or the value of a header, as JSON. */
export function bytesToJson(bytes: Uint8Array | null): string {
  if (bytes === null) return "null";
  try {
    return JSON.stringify(utf8.decode(bytes));
  } catch {
    return `{"base64":"${bytes.toBase64()}"}`;
  }
}
