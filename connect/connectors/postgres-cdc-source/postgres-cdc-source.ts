/** Changes of PostgreSQL's rows, by logical replication. */
import { defineSource, FieldError } from "../../index.ts";
import { Capture } from "./capture.ts";
import { captureFields, keyColumns } from "./fields.ts";
import { positionOf } from "./position.ts";
import { probe } from "./probe.ts";
import { COLUMN_KEYS, columnKeyProblems } from "./table-filter.ts";

export default defineSource({
  name: "postgres-cdc-source",
  version: "1.0.0",
  doc:
    "Reads the rows of PostgreSQL's tables and then every change of them, in the order of commits, from " +
    "a logical replication slot (pgoutput, PostgreSQL 13 and later), into a topic for each table, as " +
    "Debezium's connector does. What is read behind an offset is the same each time, so with " +
    "exactly.once.support each change is there once; tables without a primary key have their rows " +
    "again when the first snapshot is interrupted. Text of columns is replaced by asterisks with " +
    "column.mask.with.N.chars, and cut with column.truncate.to.N.chars, each a list of regular " +
    "expressions as public\\.users\\.mail. It is one task.",
  delivery: "exactly-once",
  config: captureFields,
  dynamicKeys: COLUMN_KEYS,
  check(config, dynamic) {
    const problems = columnKeyProblems(dynamic);
    const field = "message.key.columns";
    try {
      keyColumns(config[field]);
      return problems;
    } catch (error) {
      if (error instanceof FieldError || error instanceof SyntaxError) {
        return [...problems, { field, message: `"${field}" ${error.message}` }];
      }
      throw error;
    }
  },
  probe,
  async *read(context) {
    try {
      yield* Capture.run(context);
    } catch (error) {
      // Connections that were let go of when the task was to end.
      if (!context.signal.aborted) throw error;
    }
  },
  checkOffsets(positions) {
    for (const { offset } of positions) if (offset !== null) positionOf(offset);
  },
});
