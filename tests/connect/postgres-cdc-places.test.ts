/** Where a source of PostgreSQL's changes goes on, and what it says where it cannot. */
import { expect } from "bun:test";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import source from "../../connect/connectors/postgres-cdc-source/postgres-cdc-source.ts";
import { parseConfig } from "../../connect/config/parse.ts";
import { fieldOf, RetriableError } from "../../connect/index.ts";
import type { SourceRecord } from "../../connect/index.ts";
import { startSource, TestOffsets } from "../../connect/testing/index.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { CaptureScene, flat, live, object, said, shown } from "./capture-scene.ts";

const scene = new CaptureScene();

/** What a row has gone through: `[version, …]` by key, from records that were read. */
function versions(records: readonly SourceRecord[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { key, value } of records) {
    if (value === null) continue;
    const id = String(fieldOf(object(key), "id"));
    const list = found.get(id) ?? [];
    found.set(id, list);
    list.push(Number(fieldOf(object(value), "v")));
  }
  return found;
}

/** Nothing is lost, doubled or out of order: each row begins anywhere and goes on one by one. */
function expectEachOnce(
  records: readonly SourceRecord[],
  final: number | Map<string, number>,
): void {
  for (const [id, list] of versions(records)) {
    const last = typeof final === "number" ? final : final.get(id) ?? NaN;
    const first = list[0]!;
    expect([id, list]).toEqual([id, Array.from({ length: last - first + 1 }, (_, i) => first + i)]);
  }
}

const counters = async () => {
  const rows = await scene.server.sql(`SELECT id, v FROM ${scene.name}.t`);
  return new Map(rows.map((row) => [String(row["id"]), Number(row["v"])]));
};

live("a snapshot while writes go on: each version of each row once", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, v int)`,
    `INSERT INTO ${scene.name}.t SELECT i, 0 FROM generate_series(1, 2000) i`,
  );
  let isOver = false;
  const writing = (async () => {
    const client = scene.server.client();
    for (let i = 0; !isOver; i = (i + 37) % 2000) {
      await client.unsafe(
        `UPDATE ${scene.name}.t SET v = v + 1 WHERE id BETWEEN ${i} AND ${i + 50}`,
      );
    }
    await client.close();
  })();
  const run = scene.start({ ...flat, "snapshot.fetch.size": "100" });
  await run.take(6000);
  isOver = true;
  await writing;
  const final = await counters();
  const total = [...final.values()].reduce((sum, v) => sum + v, 0);
  const reached = (records: readonly SourceRecord[]) =>
    [...versions(records).values()].reduce((sum, list) => sum + list.at(-1)!, 0) >= total;
  await run.take(reached);
  await run.stop();
  expect(versions(run.records).size).toBe(2000);
  expectEachOnce(run.records, final);
});

live("a snapshot that is interrupted goes on, and nothing is there twice", async () => {
  // Keys whose order is the server's affair: of two columns, one of them text in a collation.
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (part text COLLATE "und-x-icu", id text, v int, PRIMARY KEY (part, id))`,
    `CREATE TABLE ${scene.name}.z (id text PRIMARY KEY, v int)`,
    `INSERT INTO ${scene.name}.t SELECT chr(97 + i % 3) || 'ä', 'Row ' || i, 0 FROM generate_series(1, 150) i`,
    `INSERT INTO ${scene.name}.z SELECT 'z' || i, 0 FROM generate_series(1, 50) i`,
  );
  const all: SourceRecord[] = [];
  const offsets = new TestOffsets();
  const bump = [`UPDATE ${scene.name}.t SET v = v + 1`, `UPDATE ${scene.name}.z SET v = v + 1`];
  const more = { ...flat, "snapshot.fetch.size": "20", "max.batch.size": "50" };
  for (let life = 0; life < 4; life++) {
    const run = scene.start(more, offsets);
    await run.take(45);
    // The last batch was given on, but is not safe: it comes again.
    const safe = run.records.length - run.batches.at(-1)!;
    await run.commit(safe);
    all.push(...run.records.slice(0, safe));
    await run.stop();
    await scene.server.sql(...bump);
    if (life === 1) {
      await scene.server.sql(
        `INSERT INTO ${scene.name}.t SELECT p || 'ä', 'New', 2 FROM unnest('{a,b,c}'::text[]) p`,
      );
    }
  }
  const last = scene.start(more, offsets);
  await last.take((records) => {
    const found = versions([...all, ...records]);
    return found.size === 201 &&
      [...found].every(([id, list]) => id === "New" ? list.length >= 9 : list.at(-1) === 4);
  });
  await last.stop();
  all.push(...last.records);
  const isNew = ({ key }: SourceRecord) => fieldOf(object(key), "id") === "New";
  expectEachOnce(all.filter((record) => !isNew(record)), 4);
  for (const part of ["aä", "bä", "cä"]) {
    const of = all.filter((r) => isNew(r) && fieldOf(object(r.key), "part") === part);
    expectEachOnce(of, 4);
    expect(of.length).toBeGreaterThan(0);
  }
});

live("a large transaction is cut anywhere and goes on there", async () => {
  await scene.server.sql(`CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, v int)`);
  const offsets = new TestOffsets();
  const more = { ...flat, "max.batch.size": "300", "max.queue.size": "500" };
  const first = scene.start(more, offsets);
  const begun = first.take(1);
  await said(first, "changes are read");
  await scene.server.sql(
    `INSERT INTO ${scene.name}.t SELECT i, 0 FROM generate_series(1, 10000) i`,
    `INSERT INTO ${scene.name}.t SELECT i, 0 FROM generate_series(10001, 10010) i`,
  );
  await begun;
  const ids: number[] = [];
  const idsOf = (records: readonly SourceRecord[]) =>
    records.map(({ value }) => Number(fieldOf(object(value), "id")));
  for (let run = first;; run = scene.start(more, offsets)) {
    await run.take(Math.min(1700, 10_010 - ids.length - run.records.length));
    const isLast = ids.length + run.records.length === 10_010;
    const safe = run.records.length - (isLast ? 0 : run.batches.at(-1)!);
    await run.commit(safe);
    ids.push(...idsOf(run.records.slice(0, safe)));
    await run.stop();
    if (isLast) break;
  }
  expect(ids).toEqual(Array.from({ length: 10_010 }, (_, i) => i + 1));
});

live("the slot moves on with what is safe alone, and without changes of its tables", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY)`,
    `CREATE TABLE public.busy (x int)`,
  );
  const lsns = async () => {
    const [row] = await scene.server.sql(
      `SELECT (confirmed_flush_lsn - '0/0')::text AS flushed, (pg_current_wal_lsn() - '0/0')::text AS now
       FROM pg_replication_slots WHERE slot_name = '${scene.name}'`,
    );
    return { flushed: BigInt(String(row!["flushed"])), now: BigInt(String(row!["now"])) };
  };
  const run = scene.start({ ...flat, "heartbeat.interval.ms": "150" });
  const first = run.take((records) => records.some(({ topic }) => topic === `p.${scene.name}.t`));
  await said(run, "changes are read");
  const [commit] = await scene.server.sql(
    "SET synchronous_commit = on",
    `INSERT INTO ${scene.name}.t VALUES (1)`,
    "SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn",
  );
  await first;
  await scene.server.sql(`INSERT INTO public.busy SELECT generate_series(1, 1000)`);
  await run.take(2);
  // Given on, but not safe.
  expect((await lsns()).flushed).toBeLessThan(BigInt(String(commit!["lsn"])));
  const { now } = await lsns();
  await run.take(3);
  await run.commit();
  while ((await lsns()).flushed < now) {
    await run.take(1);
    await run.commit();
  }
  const beat = run.records.at(-1)!;
  expect([beat.topic, beat.key]).toEqual(["__debezium-heartbeat.p", { serverName: "p" }]);
  expect(run.gauges.get("slot-lag-bytes")).toBeGreaterThanOrEqual(0);
  await run.stop();
  await scene.server.sql("DROP TABLE public.busy");
});

live("kill -9 of the server: the source says so, and goes on where it was", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, v int)`,
    `SET synchronous_commit = on`,
  );
  const offsets = new TestOffsets();
  const first = scene.start(flat, offsets);
  const taken = first.take(1000);
  await said(first, "changes are read");
  await scene.server.sql(
    "SET synchronous_commit = on",
    `INSERT INTO ${scene.name}.t SELECT i, 0 FROM generate_series(1, 1000) i`,
  );
  await taken;
  await first.commit();
  const failed = first.next().then(() => null, (error: unknown) => error);
  await scene.server.down();
  expect(await failed).toBeInstanceOf(RetriableError);
  await first.stop();
  const away = scene.start(flat, offsets);
  await expect(away.next()).rejects.toThrow("ECONNREFUSED");
  await away.stop();
  await scene.server.up();
  await scene.server.sql(`UPDATE ${scene.name}.t SET v = 1`);
  const second = scene.start(flat, offsets);
  await second.take(1000);
  await second.stop();
  expectEachOnce([...first.records, ...second.records], 1);
});

live("a slot that somebody has dropped is said, or made up for by a new snapshot", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${scene.name}.t VALUES (1)`,
  );
  const offsets = new TestOffsets();
  const first = scene.start(flat, offsets);
  await first.take(1);
  await first.commit();
  await first.stop();
  await dropSlot();
  await scene.server.sql(`INSERT INTO ${scene.name}.t VALUES (2)`);
  const second = scene.start(flat, offsets);
  await expect(second.next()).rejects.toThrow(
    new RegExp(
      `slot "${scene.name}" is gone, and with it changes since .*snapshot.mode=when_needed`,
    ),
  );
  await second.stop();
  const third = scene.start({ ...flat, "snapshot.mode": "when_needed" }, offsets);
  await third.take(2);
  await third.stop();
  expect(third.values()).toEqual([{ id: 1 }, { id: 2 }]);
});

/** Drops the slot once nobody uses it. */
async function dropSlot(): Promise<void> {
  const statement = `SELECT pg_drop_replication_slot('${scene.name}')`;
  while (!await scene.server.sql(statement).then(() => true, () => false)) await Bun.sleep(10);
}

live("a slot that keeps too much is dropped where that is wished", async () => {
  await scene.server.sql(`CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, x text)`);
  const run = scene.start({
    ...flat,
    "slot.lag.max.bytes": "300000",
    "slot.lag.action": "drop-slot",
    "max.queue.size": "10",
  });
  const failed = run.take(10_000).then(() => "", (error: Error) => error.message);
  await said(run, "changes are read");
  await scene.server.sql(
    `INSERT INTO ${scene.name}.t SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i`,
  );
  // Nothing is committed, so the slot keeps it.
  expect(await failed).toContain("so it was dropped: a new snapshot is needed");
  await said(run, "the slot was dropped");
  const slots = await scene.server.sql(
    `SELECT FROM pg_replication_slots WHERE slot_name = '${scene.name}'`,
  );
  expect(slots).toEqual([]);
  await run.stop();
});

live("TLS: an authority that is known, a name that is right, and else a word", async () => {
  const authority = new TestAuthority();
  const { cert, key } = authority.sign("db", { names: "DNS:localhost" });
  const folder = mkdtempSync(join(tmpdir(), "kstream-pg-tls-"));
  const files = { ssl_cert_file: join(folder, "cert.pem"), ssl_key_file: join(folder, "key.pem") };
  writeFileSync(files.ssl_cert_file, cert);
  writeFileSync(files.ssl_key_file, key, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    for (const path of [folder, ...Object.values(files)]) chownSync(path, 65534, 65534);
  }
  await scene.server.sql(
    ...Object.entries(files).map(([setting, path]) => `ALTER SYSTEM SET ${setting} = '${path}'`),
    "ALTER SYSTEM SET ssl = on",
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${scene.name}.t VALUES (1)`,
    "SELECT pg_reload_conf()",
  );
  while ((await scene.server.sql("SHOW ssl"))[0]!["ssl"] !== "on") await Bun.sleep(10);
  const attempt = async (more: Record<string, string>) => {
    const run = scene.start({ ...flat, ...more });
    const said = await run.take(1).then(
      () =>
        scene.server.sql(
          "SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) " +
            "WHERE application_name LIKE 'kstream%'",
        ).then(([row]) => row!["ssl"] === true ? "TLS" : "plain"),
      (error: Error) => error.message,
    );
    await run.stop();
    return said;
  };
  const ca = { "database.sslrootcert": authority.caFile };
  const full = { "database.sslmode": "verify-full", ...ca };
  try {
    expect(await attempt({ "database.sslmode": "prefer" })).toBe("TLS");
    expect(await attempt({ ...full, "database.hostname": "localhost" })).toBe("TLS");
    expect(await attempt({ ...ca, "database.sslmode": "verify-ca" })).toBe("TLS");
    expect(await attempt({ "database.sslmode": "disable" })).toBe("plain");
    expect(await attempt(full)).toMatch(/altnames|does not match/);
    expect(await attempt({ "database.sslmode": "verify-full", "database.hostname": "localhost" }))
      .toMatch(/certificate/);
  } finally {
    await scene.server.sql("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()");
    rmSync(folder, { recursive: true });
    authority.dispose();
  }
});

live("what cannot work is said before, without the password", async () => {
  const probe = async (more: Record<string, string>) => {
    const parsed = parseConfig(source.config, { ...scene.config, ...more });
    return await source.probe!(parsed, AbortSignal.timeout(10_000), {}).then(
      () => "well",
      (error: Error) => error.message,
    );
  };
  expect(await probe({})).toContain("has no table that is included");
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.keyless (id int)`,
    "CREATE ROLE guest LOGIN PASSWORD 'guest-pw'",
    `GRANT USAGE ON SCHEMA ${scene.name} TO guest`,
  );
  const guest = { "database.user": "guest", "database.password": "guest-pw" };
  expect(await probe(guest)).toContain("the role may not read");
  await scene.server.sql(`GRANT SELECT ON ${scene.name}.keyless TO guest`);
  expect(await probe(guest)).toContain("role guest may not replicate");
  const wrong = await probe({ "database.password": "wr0ng" });
  expect(wrong).toContain("password authentication failed");
  expect(wrong).not.toContain("wr0ng");
  expect(await probe({ "database.sslmode": "require" })).toContain("does not support SSL");
  expect(await probe({})).toContain(`${scene.name}.keyless cannot be published`);
  const keyless = scene.start();
  await expect(keyless.next()).rejects.toThrow(`${scene.name}.keyless cannot be published`);
  await keyless.stop();
  const full = scene.start({ "replica.identity.autoset.values": ".*keyless:FULL" });
  const taken = full.take(2);
  await said(full, "changes are read");
  await scene.server.sql(
    `INSERT INTO ${scene.name}.keyless VALUES (1)`,
    `UPDATE ${scene.name}.keyless SET id = 2`,
  );
  expect((await taken).map(shown)).toEqual(['c null {"id":1}', 'u {"id":1} {"id":2}']);
  expect(full.records[0]?.key).toBeNull();
  await full.stop();
});

live("who only looks what would be read makes nothing on the server", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${scene.name}.t VALUES (1)`,
  );
  const run = startSource(source, { ...scene.config, ...flat }, { isDryRun: true });
  expect(await run.take(1)).toMatchObject([{ value: { id: 1 } }]);
  expect(await run.next()).toBeNull();
  await run.stop();
  const left = await scene.server.sql(
    `SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE '${scene.name}%'
     UNION SELECT pubname FROM pg_publication WHERE pubname = '${scene.name}'`,
  );
  expect(left).toEqual([]);
});
