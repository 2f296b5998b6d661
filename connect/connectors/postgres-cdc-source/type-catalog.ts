/** PostgreSQL's types by their oids, asked of the server as they are met. */
import type { Session } from "./session.ts";

export interface PgType {
  /** As `numeric`, whatever schema it is in. */
  readonly name: string;
  readonly kind: "plain" | "enum" | "domain" | "array" | "range" | "composite";
  /** Of an array: what its items are; of a domain: what it stands on. */
  readonly base: PgType | null;
  /** Of a domain; −1: none. */
  readonly typeModifier: number;
  /** Between the items of an array of it. */
  readonly delimiter: string;
  /** Of an enum, in their order. */
  readonly labels: readonly string[];
}

const UNKNOWN: PgType = {
  name: "unknown",
  kind: "plain",
  base: null,
  typeModifier: -1,
  delimiter: ",",
  labels: [],
};

const KINDS: Readonly<Record<string, PgType["kind"]>> = {
  e: "enum",
  d: "domain",
  r: "range",
  m: "range",
  c: "composite",
};

/** See the head of the file. Lives as long as a connection: a type may be another one later. */
export class TypeCatalog {
  readonly #types = new Map<number, PgType>();

  constructor(readonly session: Session) {}

  /** A type that is gone meanwhile is taken for text. */
  async get(oid: number): Promise<PgType> {
    const known = this.#types.get(oid);
    if (known !== undefined) return known;
    const type = await this.#ask(oid);
    this.#types.set(oid, type);
    return type;
  }

  async #ask(oid: number): Promise<PgType> {
    const [row] = await this.session.query(
      `SELECT typname, typtype, typelem, typbasetype, typtypmod, typdelim, typcategory = 'A',
         (SELECT json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
       FROM pg_type t WHERE oid = $1`,
      [oid],
    );
    if (row === undefined) return UNKNOWN;
    const [name, typtype, element, base, modifier, delimiter, isArray, labels] = row;
    const isTrueArray = isArray === "t" && Number(element) > 0;
    const stands = isTrueArray ? Number(element) : Number(base);
    return {
      name: name ?? "unknown",
      kind: isTrueArray ? "array" : KINDS[typtype ?? ""] ?? "plain",
      base: stands > 0 ? await this.get(stands) : null,
      typeModifier: Number(modifier),
      delimiter: delimiter ?? ",",
      labels: labelsOf(labels),
    };
  }
}

function labelsOf(json: string | null | undefined): string[] {
  const labels: unknown = JSON.parse(json ?? "[]");
  return Array.isArray(labels) ? labels.map(String) : [];
}
