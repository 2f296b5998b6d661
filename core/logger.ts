/** How urgent a line is. `error` means that something was lost or refused and somebody must act. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What may stand beside a message; a bigint is printed in full. */
export type LogFields = Readonly<
  Record<string, string | number | bigint | boolean | null | undefined>
>;

/** Writes lines for operators. Cheap when the level is off. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields` too. */
  with(fields: LogFields): Logger;
}

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Options of `createLogger`; `write` takes one line without its newline. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly wallMs: () => number;
  readonly write: (line: string) => void;
}

/** A logger of text lines (`time level message key=value…`) or of JSON lines. */
export function createLogger(options: LoggerOptions, bound: LogFields = {}): Logger {
  const emit = (level: LogLevel, message: string, fields: LogFields | undefined) => {
    if (ORDER[level] < ORDER[options.level]) return;
    const all = fields === undefined ? bound : { ...bound, ...fields };
    const time = new Date(options.wallMs()).toISOString();
    options.write(
      options.format === "json"
        ? jsonLine(time, level, message, all)
        : textLine(time, level, message, all),
    );
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
    with: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  return JSON.stringify(
    { time, level, message, ...fields },
    (_key, value: unknown) => typeof value === "bigint" ? value.toString() : value,
  );
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${message}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    // A value from the network must not forge a second line or field.
    line += ` ${key}=${/^[\w.:/@+,-]+$/.test(text) ? text : JSON.stringify(text)}`;
  }
  return line;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
};
