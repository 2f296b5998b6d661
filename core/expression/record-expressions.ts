/** What filters, maps and keys do to records, wherever people write them: as flags, in a query. */
import { compileExpression, ExpressionError, RecordScope } from "./expression.ts";
import type { CompiledExpression, RecordPlace, RecordSource } from "./expression.ts";
import { OperatorError } from "../operator-error.ts";
import type { RecordCursor } from "../records/record-cursor.ts";

/** What is printed of a record: a cursor on it is one. */
export type PrintableRecord = Pick<
  RecordCursor,
  | "offset"
  | "timestamp"
  | "source"
  | "keyStart"
  | "keyEnd"
  | "valueStart"
  | "valueEnd"
  | "headerCount"
  | "key"
  | "value"
  | "headers"
>;

/** The record to print, valid until the next call; null if it is left out. Throws `OperatorError`. */
export type SelectRecord = (record: RecordCursor, place: RecordPlace) => PrintableRecord | null;

/** Key and value of the record to write; null if it is left out. Throws `OperatorError`. */
export type TransformRecord = (record: RecordSource, place: RecordPlace) => KeyAndValue | null;

export interface KeyAndValue {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** Expressions as they were given. */
export interface RecordExpressions {
  readonly where?: string | undefined;
  readonly map?: string | undefined;
  readonly keyBy?: string | undefined;
}

/** What each is called in messages. */
export type ExpressionNames = Readonly<Record<"where" | "map" | "keyBy", string>>;

const FLAGS: ExpressionNames = { where: "--where", map: "--map", keyBy: "--key-by" };
/** The names of query parameters. */
export const PARAMETERS: ExpressionNames = { where: "where", map: "map", keyBy: "key-by" };

/** One flag with its expression. */
export interface Flag {
  readonly flag: string;
  readonly expression: CompiledExpression;
}

/** What flags are evaluated over. */
export function newScope(): RecordScope {
  return new RecordScope();
}

/** Throws `OperatorError` with the place in the expression. */
export function recordSelector(
  flags: RecordExpressions,
  names: ExpressionNames = FLAGS,
): SelectRecord {
  const where = compileFlag(names.where, flags.where);
  const map = compileFlag(names.map, flags.map);
  const scope = new RecordScope();
  const mapped = new MappedRecord();
  return (record, place) => {
    scope.set(record, place);
    if (where !== null && !runFlag(where, record, place, () => where.expression.test(scope))) {
      return null;
    }
    if (map === null) return record;
    mapped.set(record, runFlag(map, record, place, () => map.expression.bytes(scope)));
    return mapped;
  };
}

/** Throws `OperatorError` with the place in the expression. All expressions see the record as it was. */
export function recordTransform(
  flags: RecordExpressions,
  names: ExpressionNames = FLAGS,
): TransformRecord {
  const where = compileFlag(names.where, flags.where);
  const map = compileFlag(names.map, flags.map);
  const keyBy = compileFlag(names.keyBy, flags.keyBy);
  const scope = new RecordScope();
  return (record, place) => {
    scope.set(record, place);
    if (where !== null && !runFlag(where, record, place, () => where.expression.test(scope))) {
      return null;
    }
    const bytes = (flag: Flag) => runFlag(flag, record, place, () => flag.expression.bytes(scope));
    const key = keyBy === null ? record.key() : bytes(keyBy);
    return { key, value: map === null ? record.value() : bytes(map) };
  };
}

/** A column of CSV: text of an expression's value, null for null and undefined. */
export function compileColumn(source: string) {
  const flag = compileFlag("--columns", source);
  const scope = new RecordScope();
  return (record: RecordSource, place: RecordPlace): string | null => {
    if (flag === null) return null;
    scope.set(record, place);
    return runFlag(flag, record, place, () => {
      const value = flag.expression.evaluate(scope);
      if (value === undefined || value === null) return null;
      const bytes = flag.expression.bytes(scope);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    });
  };
}

/** Null where the flag is not given. Throws `OperatorError` with the place in the expression. */
export function compileFlag(flag: string, source: string | undefined): Flag | null {
  if (source === undefined) return null;
  try {
    return { flag, expression: compileExpression(source) };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new OperatorError(`${flag} cannot be read`, error.message, "", 2, error.excerpt);
  }
}

/** Evaluates; a failure names the flag and the record. Throws `OperatorError`. */
export function runFlag<T>(
  { flag }: Flag,
  record: RecordSource,
  place: RecordPlace,
  body: () => T,
): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const at = record.offset < 0 ? "" : ` for ${place.topic}-${place.partition}@${record.offset}`;
    throw new OperatorError(`${flag} fails${at}`, error.message, "", 1, error.excerpt);
  }
}

/** A record with another value. Key and value lie in a buffer that is used again. */
class MappedRecord implements PrintableRecord {
  offset = -1;
  timestamp = -1;
  source: Uint8Array = new Uint8Array(1024);
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  #record: RecordCursor | null = null;

  /** Takes all but the value from the record. */
  set(record: RecordCursor, value: Uint8Array | null): void {
    this.#record = record;
    this.offset = record.offset;
    this.timestamp = record.timestamp;
    this.headerCount = record.headerCount;
    const key = record.key();
    const keyBytes = key?.length ?? 0;
    const bytes = keyBytes + (value?.length ?? 0);
    if (bytes > this.source.length) this.source = new Uint8Array(bytes * 2);
    this.keyStart = key === null ? -1 : 0;
    this.keyEnd = key === null ? -1 : keyBytes;
    this.valueStart = value === null ? -1 : keyBytes;
    this.valueEnd = value === null ? -1 : bytes;
    if (key !== null) this.source.set(key, 0);
    if (value !== null) this.source.set(value, keyBytes);
  }

  key(): Uint8Array | null {
    return this.keyStart < 0 ? null : this.source.subarray(this.keyStart, this.keyEnd);
  }

  value(): Uint8Array | null {
    return this.valueStart < 0 ? null : this.source.subarray(this.valueStart, this.valueEnd);
  }

  headers(): ReturnType<RecordCursor["headers"]> {
    return this.#record?.headers() ?? [];
  }
}
