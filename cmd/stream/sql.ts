/** `kstream stream sql`: a query over topics, until it is stopped. */
import { OperatorError } from "../../core/operator-error.ts";
import { compileQuery, resultKeyText, type ResultRow } from "../../stream/sql/compile.ts";
import { explainQuery } from "../../stream/sql/explain.ts";
import { NamedFields } from "../../stream/sql/named-fields.ts";
import { parseQuery } from "../../stream/sql/parse.ts";
import { exactJsonText } from "../../stream/sql/exact-json.ts";
import type { Query } from "../../stream/sql/syntax.ts";
import { describeTopology } from "../../stream/topology/describe.ts";
import { descriptionText } from "../../stream/topology/description-text.ts";
import { print } from "../output.ts";
import { inWords, type OneLinerOptions, runOneLiner, toOperatorError } from "./one-liner.ts";

export interface SqlOptions extends OneLinerOptions {
  /** With keys and times. */
  readonly keys?: boolean | undefined;
}

/** `text`: `-` is standard input. Throws `OperatorError`. */
export async function runSql(text: string, options: SqlOptions): Promise<void> {
  const given = text === "-" ? await Bun.stdin.text() : text;
  const explained = /^\s*explain\s/i.exec(given)?.[0] ?? "";
  const sql = `${explained.replaceAll(/\S/g, " ")}${given.slice(explained.length)}`;
  const query = await parsed(sql);
  if (explained !== "") return await explain(query, options);
  const fields = new NamedFields(query);
  await runOneLiner({
    ...{ kind: "sql", text: sql.trim(), into: query.into, problems: () => fields.problems() },
    sourceOf: (config) => ({ kind: "sql", sql, config }),
    build(rows) {
      const topology = compileQuery(
        query,
        query.into === null
          ? { look: (row) => write(row, options.keys === true, (line) => rows.write(line)) }
          : { topic: query.into },
      );
      fields.watch(topology);
      return topology;
    },
  }, { ...options, limit: fewer(options.limit, query.limit) });
}

/** Both may say how many rows are wanted. */
function fewer(option: number | undefined, limit: number | null): number | undefined {
  if (limit === null) return option;
  return Math.min(option ?? limit, limit);
}

async function parsed(sql: string): Promise<Query> {
  if (sql.trim() === "") throw new OperatorError("there is no query", "", 'write "SELECT …"', 2);
  try {
    return await parseQuery(sql);
  } catch (error) {
    throw toOperatorError("sql", error);
  }
}

/** A row that is no more is shown with keys alone. */
function write(
  { key, value, timestampMs }: ResultRow,
  hasKeys: boolean,
  writeLine: (line: string) => void,
): void {
  if (hasKeys) {
    const text = key === null ? null : resultKeyText(key);
    writeLine(exactJsonText({ key: text, value, timestamp: timestampMs }));
  } else if (value !== null) {
    writeLine(exactJsonText(value));
  }
}

async function explain(query: Query, { name }: SqlOptions): Promise<void> {
  const topology = inWords(
    "sql",
    () => compileQuery(query, query.into === null ? { look: () => {} } : { topic: query.into }),
  );
  const lines = explainQuery(query, topology, name ?? "APPLICATION");
  const text = lines.map(([verb, what]) => `${verb.padEnd(8)}${what}\n`).join("");
  await print(`${text}\n${descriptionText(describeTopology(topology))}`);
}
