/** Encrypted connections to a database: whose certificate is believed. */
import { afterAll, beforeAll, expect } from "bun:test";
import sqlSink from "../../connect/connectors/sql/sql-sink.ts";
import { readConfig } from "../../connect/testing/task.ts";
import { TestAuthority, type TestCertificate } from "../harness/certificates.ts";
import { CERTIFIED, needPostgres, PostgresServer } from "./servers/postgres.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needPostgres();
const live = liveTest(missing);

const authority = new TestAuthority();
let server: PostgresServer;
beforeAll(async () => {
  if (missing !== null) return;
  const certificate = authority.sign("db", { names: "DNS:localhost" });
  server = await PostgresServer.start({}, { ...certificate, ca: authority.ca });
});
afterAll(async () => {
  await server?.stop();
  authority.dispose();
});

async function probe(
  parameters: string,
  host = "localhost",
  more: Record<string, string> = {},
): Promise<void> {
  const { config } = readConfig(sqlSink, {
    ...server.config,
    ...more,
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

live("a user is let in by a certificate, where the server wants one", async () => {
  await server.sql(`CREATE USER ${CERTIFIED}`);
  const as = { "connection.user": CERTIFIED, "connection.password": "" };
  const shown = ({ certFile, keyFile }: TestCertificate) =>
    `&sslcert=${certFile}&sslkey=${keyFile}`;
  const known = `sslmode=verify-full&sslrootcert=${authority.caFile}`;
  await probe(known + shown(authority.sign(CERTIFIED)), "localhost", as);
  await expect(probe(known, "localhost", as)).rejects.toThrow(
    /requires a valid client certificate/,
  );
  const others = known + shown(authority.sign("somebody"));
  await expect(probe(others, "localhost", as)).rejects.toThrow(/certificate authentication failed/);
  await expect(probe(`${known}&sslcert=/there`)).rejects.toThrow(/both, sslcert and sslkey/);
  await expect(probe(`${known}&sslcert=/there&sslkey=/there`)).rejects.toThrow(
    "sslcert cannot be read",
  );
});
