/** Parts of a page as members give them to one another, and the page that comes of them. */
import { decodedBase64 } from "./key-forms.ts";
import { QueryError } from "./query-error.ts";
import type { PagePart } from "./store-reads.ts";
import type { ReadHere } from "./task-router.ts";

/** A page as it is answered, in JSON. `stale`: some of it is. */
export function pageJson(
  parts: readonly ReadHere<PagePart>[],
  limit: number,
): string {
  const ends = parts.flatMap(({ value }) => value.next === null ? [] : [value.next]);
  const end = ends.reduce<Uint8Array | null>(
    (least, each) => least === null || Buffer.compare(each, least) < 0 ? each : least,
    null,
  );
  const found = parts.flatMap(({ value }) => value.entries)
    .filter(({ at }) => end === null || Buffer.compare(at, end) < 0)
    .sort((one, other) => Buffer.compare(one.at, other.at));
  const next = found[limit]?.at ?? end;
  const entries = found.slice(0, limit).map(({ json }) => json);
  const facts = { next: next === null ? null : cursorOf(next), ...staleFacts(parts) };
  return `{"entries":[${entries.join(",")}],${JSON.stringify(facts).slice(1)}`;
}

/** Of the parts that are stale: the greatest lag, null where one is unknown. */
export function staleFacts(
  parts: readonly Pick<ReadHere<unknown>, "stale">[],
): { readonly stale?: true; readonly lag?: number | null } {
  const lags = parts.flatMap(({ stale }) => stale === null ? [] : [stale.lag]);
  if (lags.length === 0) return {};
  const known = lags.filter((lag) => lag !== null);
  return { stale: true, lag: known.length < lags.length ? null : Math.max(...known) };
}

/** For the member that has asked. */
export function partsJson(parts: readonly ReadHere<PagePart>[]): string {
  return JSON.stringify({
    parts: parts.map(({ value: { entries, next }, stale }) => ({
      entries: entries.map(({ at, json }) => ({ at: cursorOf(at), json })),
      next: next === null ? null : cursorOf(next),
      stale,
    })),
  });
}

/** What another member has written so. Throws `QueryError` if it is something else. */
export function parseParts(text: string): ReadHere<PagePart>[] {
  try {
    const parts = arrayOf(recordOf(JSON.parse(text)).parts);
    return parts.map((each) => {
      const { entries, next, stale } = recordOf(each);
      const value = {
        entries: arrayOf(entries).map((entry) => {
          const { at, json } = recordOf(entry);
          return { at: bytesOf(at), json: JSON.stringify(JSON.parse(textOf(json))) };
        }),
        next: next === null ? null : bytesOf(next),
      };
      return { value, stale: stale === null ? null : { lag: lagOf(recordOf(stale).lag) } };
    });
  } catch {
    throw new QueryError(503, "another member has answered something else than was asked");
  }
}

function cursorOf(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

class UnexpectedJson extends Error {}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new UnexpectedJson();
  return Object.fromEntries(Object.entries(value));
}

function arrayOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new UnexpectedJson();
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new UnexpectedJson();
  return value;
}

function bytesOf(value: unknown): Uint8Array {
  const [bytes] = decodedBase64(textOf(value));
  if (bytes === undefined) throw new UnexpectedJson();
  return bytes;
}

function lagOf(value: unknown): number | null {
  if (value !== null && typeof value !== "number") throw new UnexpectedJson();
  return value;
}
