/** Encrypted connections to a database: whose certificate is believed. */
import { afterAll, beforeAll, expect } from "bun:test";
import sqlSink from "../../connect/connectors/sql/sql-sink.ts";
import { readConfig } from "../../connect/testing/task.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { needPostgres, PostgresServer } from "./servers/postgres.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needPostgres();
const live = liveTest(missing);

const authority = new TestAuthority();
let server: PostgresServer;
beforeAll(async () => {
  if (missing !== null) return;
  server = await PostgresServer.start({}, authority.sign("db", { names: "DNS:localhost" }));
});
afterAll(async () => {
  await server?.stop();
  authority.dispose();
});

async function probe(parameters: string, host = "localhost"): Promise<void> {
  const { config } = readConfig(sqlSink, {
    ...server.config,
    "connection.url": `postgresql://${host}:${server.port}/shop?${parameters}`,
  });
  await sqlSink.probe!(config, new AbortController().signal, {});
}

live("a certificate is believed if somebody known has signed it, and for its host", async () => {
  await probe("sslmode=require");
  await probe(`sslmode=verify-full&sslrootcert=${authority.caFile}`);
  await expect(probe("sslmode=verify-full")).rejects.toThrow(/certificate/);
  const elsewhere = probe(`sslmode=verify-full&sslrootcert=${authority.caFile}`, "127.0.0.1");
  await expect(elsewhere).rejects.toThrow(/does not match/);
  await expect(probe("sslmode=verify-full&sslrootcert=/no/such/file")).rejects.toThrow(
    "sslrootcert cannot be read",
  );
});
