/**
 * An engine of stores over `bun:sqlite`, for comparison: at its best for this, that is a table without
 * rowid, WAL, never synced, memory-mapped, and what was put since the last commit is in memory and
 * written in the order of keys. Ranges are left out.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { BytesEntry, StoreEngine } from "../stream/stores/engine.ts";
import { bytesOf, textOf } from "../stream/stores/key-text.ts";

const CACHE_KIB = 64 * 1024;

/** See the head of the file. */
export class SqliteEngine implements StoreEngine {
  readonly approximateCount = 0;
  readonly #db: Database;
  /** By key as text; null: gone. */
  readonly #pending = new Map<string, Uint8Array | null>();
  readonly #statements;

  constructor(dir: string, pageBytes: number) {
    const db = this.#db = new Database(join(dir, "store.db"), { create: true });
    const pragmas = {
      ...{ page_size: pageBytes, journal_mode: "WAL", synchronous: "OFF" },
      ...{ cache_size: -CACHE_KIB, locking_mode: "EXCLUSIVE", wal_autocheckpoint: 16_384 },
      ...{ mmap_size: 2 ** 32, temp_store: "MEMORY" },
    };
    for (const [name, value] of Object.entries(pragmas)) db.run(`pragma ${name} = ${value}`);
    db.run("create table if not exists t (k blob primary key, v blob not null) without rowid");
    this.#statements = {
      get: db.prepare<{ v: Uint8Array }, [Uint8Array]>("select v from t where k = ?"),
      put: db.prepare("insert or replace into t values (?, ?)"),
      remove: db.prepare("delete from t where k = ?"),
      begin: db.prepare("begin"),
      end: db.prepare("commit"),
    };
  }

  get(key: Uint8Array): Uint8Array | null {
    const pending = this.#pending.get(textOf(key));
    return pending !== undefined ? pending : this.#statements.get.get(key)?.v ?? null;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.#pending.set(textOf(key), value);
  }

  range(): IterableIterator<BytesEntry> {
    throw new Error("it has no ranges");
  }

  commit(): void {
    const { begin, put, remove, end } = this.#statements;
    begin.run();
    for (const text of [...this.#pending.keys()].sort()) {
      const value = this.#pending.get(text) ?? null;
      if (value === null) remove.run(bytesOf(text));
      else put.run(bytesOf(text), value);
    }
    end.run();
    this.#pending.clear();
  }

  close(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#db.close(true);
  }
}
