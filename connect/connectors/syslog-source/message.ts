/**
 * What a message of syslog says: as RFC 5424 has it, or as RFC 3164 tells of what is used. Whatever
 * is sent is a message: of what neither knows, all is its text.
 */
import { mapOf, optional, primitive, struct, timestampSchema } from "../../index.ts";
import type { ConnectObject, ConnectValue } from "../../index.ts";

const text = primitive("string");
const maybeText = optional(text);
const maybeNumber = optional(primitive("int32"));

/** All that a record may say. */
export const syslogSchema = struct({
  format: primitive("string", { doc: "rfc5424, rfc3164, or raw for what is neither" }),
  facility: maybeNumber,
  severity: maybeNumber,
  timestamp: optional(timestampSchema),
  host: maybeText,
  app: maybeText,
  procid: maybeText,
  msgid: maybeText,
  structured_data: optional(mapOf(text, mapOf(text, text))),
  message: text,
  remote: primitive("string", { doc: "the address that it came from" }),
  truncated: primitive("boolean", { doc: "whether it was longer than allowed" }),
}, { name: "kstream.syslog.Message" });

export interface Syslog {
  readonly format: "rfc5424" | "rfc3164" | "raw";
  /** 0 to 23; null: not said. */
  readonly facility: number | null;
  /** 0 to 7. */
  readonly severity: number | null;
  /** What the sender says that the time was. */
  readonly timestamp: Date | null;
  readonly host: string | null;
  readonly app: string | null;
  readonly procid: string | null;
  readonly msgid: string | null;
  readonly structuredData: ReadonlyMap<string, ReadonlyMap<string, string>> | null;
  readonly message: string;
}

/** For times without year and zone. */
export interface TimeOfArrival {
  readonly nowMs: number;
  /** East of UTC. */
  readonly offsetMinutes: number;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

const NOTHING = {
  facility: null,
  severity: null,
  timestamp: null,
  host: null,
  app: null,
  procid: null,
  msgid: null,
  structuredData: null,
} as const;

/** Never throws: bytes that are no UTF-8 become U+FFFD. */
export function parseSyslog(bytes: Uint8Array, arrival: TimeOfArrival): Syslog {
  const line = utf8.decode(bytes);
  const found = /^<(\d{1,3})>/.exec(line);
  const priority = Number(found?.[1] ?? NaN);
  if (found === null || priority > 191) return { ...NOTHING, format: "raw", message: line };
  const level = { facility: priority >> 3, severity: priority & 7 };
  const rest = line.slice(found[0].length);
  const parsed = parse5424(rest) ?? parse3164(rest, arrival);
  return { ...NOTHING, ...level, ...parsed };
}

/** As a value of `syslogSchema`. */
export function syslogValue(message: Syslog, remote: string, truncated: boolean): ConnectObject {
  const { structuredData, ...fields } = message;
  const data: ConnectValue = structuredData === null ? null : new Map(structuredData);
  return { ...fields, structured_data: data, remote, truncated };
}

const HEADER_5424 = /^\d{1,2} (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?=-|\[)/;

type Parsed = Partial<Syslog> & Pick<Syslog, "format" | "message">;

/** Null: it is none. */
function parse5424(rest: string): Parsed | null {
  const header = HEADER_5424.exec(rest);
  if (header === null) return null;
  const [all, time = "", host = "", app = "", procid = "", msgid = ""] = header;
  const data = structuredData(rest, all.length);
  if (data === null || (time !== "-" && !ISO.test(time))) return null;
  return {
    format: "rfc5424",
    timestamp: isoTime(time),
    host: orNull(host),
    app: orNull(app),
    procid: orNull(procid),
    msgid: orNull(msgid),
    structuredData: data.elements,
    // A byte order mark says that it is UTF-8, which it is taken for anyway.
    message: rest.slice(data.end).replace(/^ ?\uFEFF?/, ""),
  };
}

const orNull = (value: string) => value === "-" ? null : value;

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

function isoTime(time: string): Date | null {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : new Date(ms);
}

type Elements = Map<string, Map<string, string>>;

const ELEMENT = /\[([^ =\]"]{1,200})/y;
const PARAMETER = / +([^ =\]"]{1,200})="((?:[^"\\\]]|\\.)*)"/ys;

/** From `at` on; null: it is none. The last of several parameters of one name counts. */
function structuredData(
  rest: string,
  at: number,
): { elements: Elements | null; end: number } | null {
  if (rest[at] === "-") return isEnd(rest, at + 1) ? { elements: null, end: at + 1 } : null;
  const elements: Elements = new Map();
  let end = at;
  while (rest[end] === "[") {
    ELEMENT.lastIndex = end;
    const [opening = "", id = ""] = ELEMENT.exec(rest) ?? [];
    if (opening === "") return null;
    end += opening.length;
    const parameters = new Map<string, string>();
    for (;;) {
      PARAMETER.lastIndex = end;
      const found = PARAMETER.exec(rest);
      if (found === null) break;
      parameters.set(found[1]!, found[2]!.replaceAll(/\\(["\\\]])/g, "$1"));
      end += found[0].length;
    }
    if (rest[end] !== "]") return null;
    end++;
    elements.set(id, parameters);
  }
  return isEnd(rest, end) ? { elements, end } : null;
}

const isEnd = (rest: string, at: number) => at === rest.length || rest[at] === " ";

const TIME_3164 = /^([A-Z][a-z]{2}) ([ \d]\d) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})? /;
const TIME_ISO = /^(\d{4}-\d\d-\d\dT\S{8,24}) /;
const TAG = /^([^\s:[\]]{1,48})(?:\[([^\]\s]{1,128})\])?: ?/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** With as much of time, host and tag as there is: whatever is not, is text. */
function parse3164(rest: string, arrival: TimeOfArrival): Parsed {
  const { timestamp, length } = leadingTime(rest, arrival);
  if (timestamp === null) return { format: "rfc3164", ...tagged(rest) };
  const behind = rest.slice(length);
  // A program on the same machine leaves out the host: what is there is a tag then.
  const host = /^([^\s:[\]]{1,255}|[\da-fA-F:]{3,45}) (?=\S)/.exec(behind);
  const hosted = host === null ? { host: null } : { host: host[1]! };
  return {
    format: "rfc3164",
    timestamp,
    ...hosted,
    ...tagged(behind.slice(host?.[0].length ?? 0)),
  };
}

function tagged(textBehind: string): Pick<Syslog, "app" | "procid" | "message"> {
  const tag = TAG.exec(textBehind);
  if (tag === null) return { app: null, procid: null, message: textBehind };
  return { app: tag[1]!, procid: tag[2] ?? null, message: textBehind.slice(tag[0].length) };
}

function leadingTime(
  rest: string,
  arrival: TimeOfArrival,
): { readonly timestamp: Date | null; readonly length: number } {
  const iso = TIME_ISO.exec(rest);
  if (iso !== null && ISO.test(iso[1]!)) {
    return { timestamp: isoTime(iso[1]!), length: iso[0].length };
  }
  const found = TIME_3164.exec(rest);
  const month = MONTHS.indexOf(found?.[1] ?? "");
  if (found === null || month < 0) return { timestamp: null, length: 0 };
  const [all, , day, year, hour, minute, second] = found;
  const at = (inYear: number) =>
    Date.UTC(inYear, month, Number(day), Number(hour), Number(minute), Number(second)) -
    arrival.offsetMinutes * 60_000;
  return {
    timestamp: new Date(year === undefined ? nearest(at, arrival) : at(Number(year))),
    length: all.length,
  };
}

const DAY_MS = 86_400_000;

/** In the year that does not make it lie ahead: in January, what was in December was last year. */
function nearest(at: (year: number) => number, { nowMs }: TimeOfArrival): number {
  const year = new Date(nowMs).getUTCFullYear();
  return [year + 1, year, year - 1].map(at).find((ms) => ms <= nowMs + DAY_MS) ?? at(year);
}
