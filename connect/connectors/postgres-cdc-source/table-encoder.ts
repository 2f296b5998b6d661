/** Rows of one table as values with schemas, compiled once for each form that the table has. */
import { optional, struct } from "../../index.ts";
import type { ConnectObject, ConnectValue, Schema } from "../../index.ts";
import { readingOf, treated } from "./column-values.ts";
import type { Reading } from "./column-values.ts";
import { keyColumns } from "./fields.ts";
import type { CaptureConfig } from "./fields.ts";
import type { Cell, Row } from "./pgoutput.ts";
import type { TableFilter } from "./table-filter.ts";
import { tableName } from "./table-shape.ts";
import type { TableShape } from "./table-shape.ts";
import type { TypeCatalog } from "./type-catalog.ts";

interface EncodedColumn {
  readonly name: string;
  /** In rows as they come. */
  readonly index: number;
  readonly reading: Reading;
}

/** See the head of the file. */
export class TableEncoder {
  readonly topic: string;
  readonly keySchema: Schema | null;
  /** Of a row as a whole. */
  readonly rowSchema: Schema;
  /** Of a row of which only the identity may be known. */
  readonly oldSchema: Schema;
  readonly #columns: readonly EncodedColumn[];
  readonly #key: readonly EncodedColumn[];

  private constructor(
    readonly shape: TableShape,
    topicPrefix: string,
    columns: readonly EncodedColumn[],
    key: readonly EncodedColumn[],
  ) {
    const { schema, table, identity } = shape;
    this.#columns = columns;
    this.#key = key;
    this.topic = `${topicPrefix}.${schema}.${table}`.replace(/[^a-zA-Z0-9._-]/g, "_");
    const required = new Set(shape.columns.filter((c) => c.isRequired).map(({ name }) => name));
    const of = (list: readonly EncodedColumn[], isRequired: (name: string) => boolean) =>
      list.map(({ name, reading }) => ({
        name,
        schema: isRequired(name) ? reading.schema : optional(reading.schema),
      }));
    const isRequired = (name: string) => required.has(name);
    const isKnown = (name: string) =>
      identity === "f" ? isRequired(name) : shape.key.includes(name);
    const name = `${this.topic}.Value`;
    this.keySchema = key.length === 0
      ? null
      : struct(of(key, isRequired), { name: `${this.topic}.Key` });
    this.rowSchema = struct(of(columns, isRequired), { name, optional: true });
    this.oldSchema = struct(of(columns, isKnown), { name, optional: true });
  }

  static async compile(
    shape: TableShape,
    config: CaptureConfig,
    filter: TableFilter,
    types: TypeCatalog,
  ): Promise<TableEncoder> {
    const { schema, table } = shape;
    const all: EncodedColumn[] = [];
    const kept: EncodedColumn[] = [];
    for (const [index, { name, typeOid, typeModifier }] of shape.columns.entries()) {
      const plain = readingOf(await types.get(typeOid), typeModifier, config);
      const treatment = filter.treatmentOf(schema, table, name);
      const column = { name, index, reading: treated(treatment, plain, config) };
      all.push(column);
      if (treatment.kind !== "drop") kept.push(column);
    }
    const full = tableName(shape);
    const chosen = keyColumns(config["message.key.columns"]).find(([for_]) => for_.test(full));
    const key = (chosen?.[1] ?? shape.key).map((name) => {
      const found = all.find((column) => column.name === name);
      if (found !== undefined) return found;
      throw new Error(`message.key.columns has ${full}:${name}, but there is no such column`);
    });
    return new TableEncoder(shape, config["topic.prefix"], kept, key);
  }

  /** `before`: where a value that was not sent is looked up. */
  value(row: Row, before: Row | null = null): ConnectObject {
    return this.#object(this.#columns, row, before);
  }

  /** Null: the table has no key. */
  key(row: Row): ConnectObject | null {
    return this.keySchema === null ? null : this.#object(this.#key, row, null);
  }

  /** Whether two rows have another key. */
  isSameKey(a: Row, b: Row): boolean {
    return this.#key.every(({ index }) => a[index] === b[index]);
  }

  #object(columns: readonly EncodedColumn[], row: Row, before: Row | null): ConnectObject {
    const object: Record<string, ConnectValue> = {};
    for (const column of columns) {
      const { name, index } = column;
      let cell = row[index];
      if (cell === undefined && before !== null) cell = before[index];
      const value = cell === null ? null : this.#value(column, cell, row);
      if (name !== "__proto__") object[name] = value;
      else Object.defineProperty(object, name, { value, enumerable: true });
    }
    return object;
  }

  #value({ name, reading }: EncodedColumn, cell: Cell, row: Row): ConnectValue {
    try {
      if (cell !== undefined && cell !== null) return reading.read(cell);
      if (reading.unavailable !== undefined) return reading.unavailable;
      throw new Error(
        "it is a large value that the server does not send unless it is changed, and no text: " +
          "ALTER TABLE … REPLICA IDENTITY FULL has it sent",
      );
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `${tableName(this.shape)}, column ${name}, row ${this.#rowText(row)}: ${why}`,
      );
    }
  }

  /** Which row it is, for people: only its key, whose columns are in the topic anyway. */
  #rowText(row: Row): string {
    const parts = this.#key.map(({ name, index }) => `${name}=${row[index] ?? "null"}`);
    return parts.length === 0 ? "without a key" : parts.join(", ");
  }
}

/** Encoders for relations of the stream, each made once. */
export class Encoders {
  readonly #made = new WeakMap<object, TableEncoder>();

  constructor(
    readonly config: CaptureConfig,
    readonly filter: TableFilter,
    readonly types: TypeCatalog,
  ) {}

  /** What was made for a relation or a shape before. */
  known(of: object): TableEncoder | undefined {
    return this.#made.get(of);
  }

  async make(of: object, shape: TableShape): Promise<TableEncoder> {
    const encoder = await TableEncoder.compile(shape, this.config, this.filter, this.types);
    this.#made.set(of, encoder);
    return encoder;
  }
}
