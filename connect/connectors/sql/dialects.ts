import type { Dialect } from "./dialect.ts";
import { MYSQL } from "./mysql-dialect.ts";
import { POSTGRESQL } from "./postgres-dialect.ts";
import { SQLITE } from "./sqlite-dialect.ts";
import type { DialectName } from "./target.ts";

/** The dialects by their names. */
export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  postgresql: POSTGRESQL,
  mysql: MYSQL,
  sqlite: SQLITE,
};
