/** A table of PostgreSQL, whose changes are read. */
import { needPostgres, PostgresServer } from "../../servers/postgres.ts";
import { valueItems } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

/** Adds rows, each once, however often the connection breaks. */
export async function insertItems(server: PostgresServer, items: readonly Item[]): Promise<void> {
  const rows = items.map(({ key, n }) => `('${key}', ${n})`).join(", ");
  for (;;) {
    try {
      await server.sql(`INSERT INTO items VALUES ${rows} ON CONFLICT DO NOTHING`);
      return;
    } catch {
      await Bun.sleep(50);
    }
  }
}

/** The item that a change in Debezium's envelope has added; null: it is none. */
export function addedItem(value: string): Item | null {
  const change: { readonly after?: Item | null } = JSON.parse(value);
  return change.after ?? null;
}

/** A server with the empty table `items`. */
export async function startWithItems(): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  await server.sql("CREATE TABLE items (key text, n int, PRIMARY KEY (key, n))");
  return server;
}

export const POSTGRES_CDC: SystemKind = {
  name: "postgres-cdc-source",
  need: needPostgres,
  async open() {
    const server = await startWithItems();
    return {
      kind: "source",
      claim: "exactly-once",
      topic: "shop.public.items",
      config: {
        "connector.class": "postgres-cdc-source",
        ...server.captureConfig,
        "topic.prefix": "shop",
        "table.include.list": "public.items",
      },
      otherConfig: { "max.batch.size": "7" },
      outage: { down: () => server.down(), up: () => server.up() },
      setSlow: null,
      feed: (items) => insertItems(server, items),
      feedBad: null,
      itemsOf: valueItems(addedItem),
      close: () => server.stop(),
    };
  },
};
