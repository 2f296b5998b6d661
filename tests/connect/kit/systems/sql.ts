/** A table that a sink adds rows to, and one that a source reads, in each kind of database. */
import { DATABASES } from "../../servers/databases.ts";
import type { DatabaseKind, TestDatabase } from "../../servers/databases.ts";
import { valueItems } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

interface Words {
  /** With a number that tells in which order rows came. */
  readonly table: string;
  /** Adds rows that are not there yet. */
  readonly insert: (rows: string) => string;
  readonly key: string;
}

const WORDS: Readonly<Record<DatabaseKind["name"], Words>> = {
  postgresql: {
    table: "CREATE TABLE items (id bigserial PRIMARY KEY, key text, n int)",
    insert: (rows) => `INSERT INTO items (key, n) VALUES ${rows} ON CONFLICT DO NOTHING`,
    key: "key",
  },
  mysql: {
    table: "CREATE TABLE items (id bigint AUTO_INCREMENT PRIMARY KEY, `key` varchar(100), n int)",
    insert: (rows) => `INSERT IGNORE INTO items (\`key\`, n) VALUES ${rows}`,
    key: "`key`",
  },
  sqlite: {
    table: "CREATE TABLE items (id integer PRIMARY KEY AUTOINCREMENT, key text, n integer)",
    insert: (rows) => `INSERT OR IGNORE INTO items (key, n) VALUES ${rows}`,
    key: "key",
  },
};

async function start(database: DatabaseKind) {
  const target = await database.start();
  await target.query(WORDS[database.name].table);
  return {
    target,
    parts: { outage: target.server, setSlow: null, close: () => target.stop() },
  };
}

export const SQL_SINKS: readonly SystemKind[] = DATABASES.map((database) => ({
  name: `sql-sink-${database.name}`,
  need: () => database.need(),
  async open() {
    const { target, parts } = await start(database);
    return {
      ...parts,
      kind: "sink",
      claim: "exactly-once",
      config: { "connector.class": "sql-sink", ...target.config, "table.name.format": "items" },
      otherConfig: { "batch.size": "7" },
      read: async () => {
        const { key } = WORDS[database.name];
        const rows = await target.query(`SELECT ${key}, n FROM items ORDER BY id`);
        return rows.map((row): Item => ({ key: String(row["key"]), n: Number(row["n"]) }));
      },
    };
  },
}));

export const SQL_SOURCES: readonly SystemKind[] = DATABASES.map((database) => ({
  name: `sql-source-${database.name}`,
  need: () => database.need(),
  async open() {
    const { target, parts } = await start(database);
    const { key, insert } = WORDS[database.name];
    await target.query(`CREATE UNIQUE INDEX one ON items (${key}, n)`);
    return {
      ...parts,
      kind: "source",
      claim: "exactly-once",
      topic: "items",
      config: {
        "connector.class": "sql-source",
        ...target.config,
        mode: "incrementing",
        "incrementing.column.name": "id",
        "table.whitelist": "items",
        "poll.interval.ms": "100",
      },
      otherConfig: { "batch.max.rows": "7" },
      feed: async (items) => {
        const rows = items.map(({ key, n }) => `('${key}', ${n})`).join(", ");
        while (!await isDone(target, insert(rows))) await Bun.sleep(50);
      },
      feedBad: null,
      itemsOf: valueItems(),
    };
  },
}));

function isDone(target: TestDatabase, statement: string): Promise<boolean> {
  return target.query(statement).then(() => true, () => false);
}
