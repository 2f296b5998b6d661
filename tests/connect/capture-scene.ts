/** A PostgreSQL for tests of changes: each test has a schema, a slot and a publication of its own. */
import { afterAll, beforeAll, beforeEach } from "bun:test";
import source from "../../connect/connectors/postgres-cdc-source/postgres-cdc-source.ts";
import { isObject } from "../../connect/index.ts";
import type { ConnectObject, ConnectValue } from "../../connect/index.ts";
import { startSource, TestOffsets } from "../../connect/testing/index.ts";
import type { SourceRun } from "../../connect/testing/index.ts";
import { needPostgres, PostgresServer } from "./servers/postgres.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needPostgres();
/** A test that needs the server. */
export const live = liveTest(missing);

const PATIENCE_MS = 20_000;

/** Rows without an envelope. */
export const flat = { envelope: "none" };

/** See the head of the file. */
export class CaptureScene {
  #server: PostgresServer | null = null;
  #count = 0;
  /** Of schema, slot and publication. */
  name = "";
  /** A source of this test's schema. */
  config: Record<string, string> = {};

  /** To be made once in a file: it starts a server before its tests and ends it after them. */
  constructor() {
    if (missing !== null) return;
    beforeAll(async () => {
      this.#server = await PostgresServer.start({
        synchronous_commit: "off",
        max_replication_slots: "30",
        max_wal_senders: "30",
      });
    });
    afterAll(() => this.#server?.stop());
    beforeEach(async () => {
      this.name = `s${this.#count++}`;
      await this.server.sql(`CREATE SCHEMA ${this.name}`);
      this.config = {
        ...this.server.captureConfig,
        "topic.prefix": "p",
        "slot.name": this.name,
        "publication.name": this.name,
        "schema.include.list": this.name,
        "status.update.interval.ms": "100",
      };
    });
  }

  get server(): PostgresServer {
    if (this.#server === null) throw new Error("there is no server");
    return this.#server;
  }

  start(more: Record<string, string> = {}, offsets = new TestOffsets()): SourceRun {
    return startSource(source, { ...this.config, ...more }, { offsets });
  }
}

/** Waits for what the source logs. */
export async function said(run: SourceRun, text: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!run.log.some((line) => line.includes(text))) {
    if (performance.now() > deadline) throw new Error(`never said "${text}"`);
    await Bun.sleep(5);
  }
}

export function object(value: ConnectValue | undefined): ConnectObject {
  if (value === undefined || !isObject(value)) throw new Error("this is no object");
  return value;
}

/** A record by its operation, with before and after: `u {"id":1} {"id":1}`. */
export function shown(
  { key, value }: { readonly key: ConnectValue; readonly value: ConnectValue },
): string {
  const json = (part: ConnectValue) =>
    JSON.stringify(
      part,
      (_name, inner: unknown) => typeof inner === "bigint" ? String(inner) : inner,
    );
  if (value === null) return `tombstone ${json(key)}`;
  const { op, before, after } = object(value);
  return `${String(op)} ${json(before ?? null)} ${json(after ?? null)}`;
}
