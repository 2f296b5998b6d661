/** Snapshots of stores of streams in a real server of S3. */
import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { S3Snapshots } from "../../cmd/stream/s3-snapshots.ts";
import { requireSnapshotStore } from "../../stream/stores/snapshots/snapshot-store.test-helper.ts";
import { freshDir } from "../harness/fresh-dir.ts";
import { liveTest } from "./servers/live.ts";
import { needVersitygw, S3Server } from "./servers/versitygw.ts";

const missing = await needVersitygw();
const live = liveTest(missing);

let server: S3Server;
beforeAll(async () => {
  if (missing === null) server = await S3Server.start();
});
afterAll(() => server?.stop());

live("a bucket keeps snapshots", async () => {
  const staging = join(freshDir("s3-snapshots"), "staging");
  const options = { bucket: "lake", prefix: "some/app/", staging };
  await requireSnapshotStore(new S3Snapshots(options, server.client()), Date.now());
  expect(readdirSync(staging)).toEqual([]);
  // More than the server tells at once.
  const many = new S3Snapshots({ ...options, prefix: "many/" }, server.client());
  const names = Array.from({ length: 1010 }, (_, i) => `${String(i).padStart(4, "0")}`);
  await Promise.all(names.map((name) => server.client().write(`many/${name}`, "x")));
  expect((await many.list("")).map(({ name }) => name).sort()).toEqual(names);
});
