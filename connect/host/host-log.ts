/** Lines of a log from a host to its worker, where they are shown as that one's own. */
import type { LogFields, Logger, LogLevel } from "../../core/logger.ts";
import type { Clock } from "../../core/io.ts";
import { Said } from "./said.ts";

/** More lines in a second are counted and dropped. */
const LINES_PER_SECOND = 500;
const LINE_CHARS_MAX = 8192;

/** Lets so many lines of each second pass; each connector has its own. */
export class LineLimit {
  #second = 0;
  #count = 0;

  constructor(private readonly clock: Clock) {}

  /** For somebody else. */
  another(): LineLimit {
    return new LineLimit(this.clock);
  }

  /** Null: it is dropped. A number: it passes, and so many have been dropped before it. */
  passes(): number | null {
    const second = Math.floor(this.clock.monotonicMs() / 1000);
    const dropped = second === this.#second ? 0 : Math.max(0, this.#count - LINES_PER_SECOND);
    if (second !== this.#second) this.#count = 0;
    this.#second = second;
    return ++this.#count > LINES_PER_SECOND ? null : dropped;
  }
}

/** A logger whose lines are told. */
export function toldLogger(
  limit: LineLimit,
  tell: (line: unknown) => void,
  bound: LogFields = {},
): Logger {
  const emit = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    const dropped = limit.passes();
    if (dropped === null) return;
    const all = dropped === 0 ? { ...bound, ...fields } : { ...bound, ...fields, dropped };
    const texts = Object.entries(all).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, typeof value === "bigint" ? String(value) : value]]
    );
    tell({ level, message: message.slice(0, LINE_CHARS_MAX), fields: Object.fromEntries(texts) });
  };
  return {
    debug: emit("debug"),
    info: emit("info"),
    warn: emit("warn"),
    error: emit("error"),
    with: (fields) => {
      const isOther = fields["connector"] !== undefined &&
        fields["connector"] !== bound["connector"];
      return toldLogger(isOther ? limit.another() : limit, tell, { ...bound, ...fields });
    },
  };
}

/** Writes what such a logger has told. Throws `UnreadableError`. */
export function writeTold(logger: Logger, told: unknown): void {
  const said = new Said(told);
  const fields: Record<string, string | number | boolean | null> = {};
  let own = logger;
  for (const [key, value] of Object.entries(said.any("fields") ?? {})) {
    const isPlain = typeof value === "string" || typeof value === "number" ||
      typeof value === "boolean" || value === null;
    // The connector by `with`: it may have a level of its own.
    if (key === "connector" && typeof value === "string") own = logger.with({ connector: value });
    else if (isPlain) fields[key] = value;
  }
  const message = said.text("message");
  switch (said.text("level")) {
    case "debug":
      return own.debug(message, fields);
    case "warn":
      return own.warn(message, fields);
    case "error":
      return own.error(message, fields);
    default:
      return own.info(message, fields);
  }
}
