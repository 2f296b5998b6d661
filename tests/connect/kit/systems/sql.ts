/** A table that a sink adds rows to, in each kind of database. */
import { DATABASES } from "../../servers/databases.ts";
import type { DatabaseKind } from "../../servers/databases.ts";
import type { Item, SystemKind } from "../system.ts";

/** With a number that tells in which order rows came. */
const TABLES: Readonly<Record<DatabaseKind["name"], string>> = {
  postgresql: "CREATE TABLE items (id bigserial PRIMARY KEY, key text, n bigint)",
  mysql: "CREATE TABLE items (id bigint AUTO_INCREMENT PRIMARY KEY, `key` varchar(100), n bigint)",
  sqlite: "CREATE TABLE items (id integer PRIMARY KEY AUTOINCREMENT, key text, n integer)",
};

export const SQL_SINKS: readonly SystemKind[] = DATABASES.map((database) => ({
  name: `sql-sink-${database.name}`,
  need: () => database.need(),
  async open() {
    const target = await database.start();
    await target.query(TABLES[database.name]);
    const key = database.name === "mysql" ? "`key`" : "key";
    return {
      kind: "sink",
      claim: "exactly-once",
      config: { "connector.class": "sql-sink", ...target.config, "table.name.format": "items" },
      otherConfig: { "batch.size": "7" },
      outage: target.server,
      setSlow: null,
      read: async () => {
        const rows = await target.query(`SELECT ${key}, n FROM items ORDER BY id`);
        return rows.map((row): Item => ({ key: String(row["key"]), n: Number(row["n"]) }));
      },
      close: () => target.stop(),
    };
  },
}));
