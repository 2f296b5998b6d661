/** Values out of files of lines: texts, JSON Lines, CSV; where each ends, so that it can be gone on with. */
import { isAscii } from "node:buffer";
import { CsvError, CsvFraming, splitCsv } from "../../core/text/csv.ts";
import { ByteDelimited, FramingError } from "../../core/text/framing.ts";
import type { Framing } from "../../core/text/framing.ts";
import { RecordBlocks } from "../../core/text/record-blocks.ts";
import type { ReadInto, RecordBlock } from "../../core/text/record-blocks.ts";
import { primitive } from "../index.ts";
import type { ConnectValue, Schema } from "../index.ts";
import { FormatError } from "./format-error.ts";

export interface LineSettings {
  readonly format: "lines" | "jsonl" | "csv";
  /** As `TextDecoder` knows it, or `bytes`: lines are not looked into. */
  readonly encoding: string;
  readonly separator: string;
  /** Whether the first row of a CSV file has the names of its columns. */
  readonly hasHeader: boolean;
  /** Names of columns where no header says them. */
  readonly columns: readonly string[];
  /** A longer line is no record. */
  readonly lineBytesMax: number;
}

/** A line, or what is wrong with it. */
export interface Line {
  readonly value: ConnectValue;
  readonly error: FormatError | null;
  /** In bytes: where the next one begins. */
  readonly end: number;
}

const BLOCK_BYTES = 64 * 1024;
const CARRIAGE_RETURN = 13;
const NUL_LINES: readonly Line[] = [];

/** What the values of such lines are. */
export function lineSchema({ format, encoding }: LineSettings): Schema | null {
  if (format !== "lines") return null;
  return primitive(encoding === "bytes" ? "bytes" : "string");
}

export class LineParser {
  /** The columns of CSV, once they are known. */
  columns: readonly string[] | null;
  readonly #decoder: TextDecoder | null;

  constructor(readonly settings: LineSettings) {
    const { encoding, hasHeader, columns } = settings;
    this.#decoder = encoding === "bytes"
      ? null
      : new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    this.columns = hasHeader ? null : columns;
  }

  framing(): Framing {
    const { format, separator } = this.settings;
    return format === "csv" ? new CsvFraming(separator.charCodeAt(0)) : new ByteDelimited(10);
  }

  /** Undefined for what is no record: an empty line, the header. Throws `FormatError`. */
  parse(line: Uint8Array): ConnectValue | undefined {
    const bytes = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
    return this.#decoder === null ? Uint8Array.from(bytes) : this.#value(this.#text(bytes));
  }

  /** Whether bytes of ASCII are the text that they look like, and a line ends nowhere but at its end. */
  get takesText(): boolean {
    return this.#decoder?.encoding === "utf-8" && this.settings.format !== "csv";
  }

  /** As `parse`, of a text without the line feed. */
  parseText(line: string): ConnectValue | undefined {
    const isCrLf = line.charCodeAt(line.length - 1) === CARRIAGE_RETURN;
    return this.#value(isCrLf ? line.slice(0, -1) : line);
  }

  #value(text: string): ConnectValue | undefined {
    switch (this.settings.format) {
      case "lines":
        return text;
      case "jsonl":
        return /^\s*$/.test(text) ? undefined : parseJson(text);
      case "csv":
        return text === "" ? undefined : this.#row(text);
    }
  }

  #text(bytes: Uint8Array): string {
    try {
      return this.#decoder!.decode(bytes);
    } catch {
      throw new FormatError(`is not encoded as ${this.settings.encoding}`);
    }
  }

  #row(text: string): ConnectValue | undefined {
    const cells = this.#cells(text);
    if (this.columns === null) {
      this.columns = cells;
      return undefined;
    }
    const { columns } = this;
    if (cells.length !== columns.length) {
      throw new FormatError(`has ${cells.length} fields, but there are ${columns.length} columns`);
    }
    return Object.fromEntries(columns.map((name, i) => [name, cells[i]!]));
  }

  #cells(text: string): string[] {
    try {
      return splitCsv(text, this.settings.separator);
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      throw new FormatError(`is no CSV at column ${error.column}: ${error.message}`);
    }
  }
}

/** Whole numbers are exact, whatever their size. Throws `FormatError`, without the text. */
export function parseJson(text: string): ConnectValue {
  try {
    return /\d{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new FormatError("is JSON that is nested too deeply");
    throw new FormatError("is no JSON");
  }
}

function exactly(_name: string, value: unknown, ...[context]: unknown[]): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  if (typeof context !== "object" || context === null || !("source" in context)) return value;
  const source = String(context.source);
  return /^-?\d{1,1000}$/.test(source) ? BigInt(source) : value;
}

/** A last line without an end is not there yet. */
class WholeLines extends ByteDelimited {
  override isRecord(): boolean {
    return false;
  }
}

class WholeRows extends CsvFraming {
  override isRecord(): boolean {
    return false;
  }
}

export class LineReader {
  /** In bytes of the input: behind all that was read. */
  position: number;
  readonly #blocks: RecordBlocks;
  readonly #framing: Framing;

  /**
   * `read` begins at `startAt` of the input. `isWhole`: its end is the end, and what stands there without
   * an end of its own is a line.
   */
  constructor(
    read: ReadInto,
    readonly parser: LineParser,
    startAt: number,
    isWhole: boolean,
  ) {
    const { format, separator, lineBytesMax } = parser.settings;
    this.position = startAt;
    this.#framing = isWhole
      ? parser.framing()
      : format === "csv"
      ? new WholeRows(separator.charCodeAt(0))
      : new WholeLines(10);
    this.#blocks = new RecordBlocks(read, this.#framing, startAt, BLOCK_BYTES, lineBytesMax);
  }

  /** The next lines, or null at the end. Throws what reading throws. */
  async next(): Promise<readonly Line[] | null> {
    try {
      return await this.#next();
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      throw new FormatError(`cannot be taken apart: ${error.message}`);
    }
  }

  async #next(): Promise<readonly Line[] | null> {
    const block = await this.#blocks.next();
    if (block === null) return null;
    const { bytes, start, end, inputOffset, tooLong } = block;
    const lines: Line[] = [];
    if (tooLong > 0) {
      const error = new FormatError(`${tooLong} lines are longer than line.bytes.max`);
      lines.push({ value: null, error, end: inputOffset });
    }
    if (this.parser.takesText && isAscii(bytes.subarray(start, end))) {
      this.#takeText(bytes.toString("latin1", start, end), inputOffset, lines);
    } else this.#takeBytes(block, lines);
    this.position = inputOffset + end - start;
    return lines.length === 0 ? NUL_LINES : lines;
  }

  #takeBytes({ bytes, start, end, inputOffset }: RecordBlock, into: Line[]): void {
    for (let at = start; at < end;) {
      const next = Math.min(this.#framing.next(bytes, at, end), end);
      const { start: from, end: to } = this.#framing;
      const parse = () => this.parser.parse(bytes.subarray(from, to));
      push(parse, inputOffset + next - start, into);
      at = next;
    }
  }

  /** Lines of a text are parts of it, and none is copied. */
  #takeText(text: string, inputOffset: number, into: Line[]): void {
    for (let at = 0; at < text.length;) {
      const found = text.indexOf("\n", at);
      const end = found < 0 ? text.length : found;
      const from = at;
      at = Math.min(end + 1, text.length);
      push(() => this.parser.parseText(text.slice(from, end)), inputOffset + at, into);
    }
  }
}

function push(parse: () => ConnectValue | undefined, end: number, into: Line[]): void {
  try {
    const value = parse();
    if (value !== undefined) into.push({ value, error: null, end });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    into.push({ value: null, error, end });
  }
}
