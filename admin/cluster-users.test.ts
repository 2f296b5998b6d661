/** Users of the admin server of one broker, at the other brokers of its cluster. */
import { afterEach, expect, test } from "bun:test";
import type { AclEntry } from "../core/acl.ts";
import { ClusterWorld, type ClusterWorldOptions, ROOT, WITH_ACLS } from "./cluster.test-helper.ts";

const ALICE_AT = "10.1.2.3";
let world: ClusterWorld | null = null;

afterEach(async () => {
  await world?.stop();
  world = null;
});

/** A cluster in which alice, at her address alone, may use the topic `orders`, and bob may not. */
async function start(options: ClusterWorldOptions): Promise<ClusterWorld> {
  world = await ClusterWorld.start(options);
  await world.createTopic("orders");
  const { admin } = world.own.of(ROOT);
  for (const user of ["alice", "bob"]) await admin.users.set(user, `of ${user}`, {});
  const entries = (["READ", "WRITE", "DESCRIBE"] as const).map((operation): AclEntry => ({
    ...{ principal: "User:alice", host: ALICE_AT, operation, permission: "ALLOW" },
    ...{ resourceType: "TOPIC", resourceName: "orders", patternType: "LITERAL" },
  }));
  await admin.acls.create(entries);
  const { nodes } = world;
  await world.until(() =>
    nodes.every(({ running: { broker: { metadata: { image } } } }) =>
      image.scramCredential("bob", "SCRAM-SHA-256") !== undefined && [...image.acls].length === 3
    )
  );
  return world;
}

async function write(cluster: ClusterWorld, user: string, from: string): Promise<string> {
  const lines = [0, 1, 2].map((partition) => JSON.stringify({ value: "x".repeat(10), partition }));
  const answer = await cluster.node(1).ask("/v1/topics/orders/records", {
    ...{ user, from, method: "POST", body: lines.join("\n") },
    headers: { "content-type": "application/x-ndjson" },
  });
  const text = await answer.text();
  return answer.status === 200 ? "written" : `${answer.status} ${text}`;
}

async function read(cluster: ClusterWorld, user: string, from: string): Promise<string> {
  const answer = await cluster.node(1).ask("/v1/topics/orders/records", { user, from });
  const text = await answer.text();
  return answer.status === 200
    ? `${text.trim().split("\n").length} records`
    : `${answer.status} ${text}`;
}

test("a user has its own rights, at its own address, at every broker", async () => {
  const cluster = await start({ configs: WITH_ACLS });
  expect(await write(cluster, "alice", ALICE_AT)).toBe("written");
  expect(await read(cluster, "alice", ALICE_AT)).toBe("3 records");
  expect(await write(cluster, "alice", "10.9.9.9")).toStartWith("403 ");
  expect(await read(cluster, "alice", "10.9.9.9")).toStartWith("403 ");
  expect(await write(cluster, "bob", ALICE_AT)).toStartWith("403 ");
  expect(await read(cluster, "bob", ALICE_AT)).toStartWith("403 ");
  for (const { running } of cluster.nodes) {
    const seen = running.clients().filter(({ principal }) => principal === "User:alice");
    expect(new Set(seen.map(({ address }) => address))).toContain(`${ALICE_AT}:0`);
    expect(new Set(seen.map(({ clientId }) => clientId))).toEqual(new Set(["kstream-admin"]));
    expect(seen.flatMap(({ topics }) => topics)).toContain("orders");
    // Nobody is there in no name.
    expect(running.clients().map(({ principal }) => principal)).not.toContain("User:ANONYMOUS");
  }
}, 60_000);

test("where nodes do not know one another, nobody becomes one of them by asking", async () => {
  // Brokers that prove nothing are super users here, or there would be no cluster.
  const configs = { ...WITH_ACLS, "super.users": "User:root;User:ANONYMOUS" };
  const cluster = await start({ configs, secrets: [] });
  const why = "User:alice cannot be taken to another broker: the nodes of this cluster do not know";
  expect(await write(cluster, "alice", ALICE_AT)).toContain(why);
  expect(await read(cluster, "alice", ALICE_AT)).toContain(why);
  expect(await read(cluster, "bob", ALICE_AT)).toStartWith("403 ");
}, 60_000);

test("without ACLs there is nobody whom it would have to be", async () => {
  const cluster = await ClusterWorld.start({ secrets: [] });
  world = cluster;
  await cluster.createTopic("orders");
  await cluster.own.of(ROOT).admin.users.set("alice", "of alice", {});
  const { metadata } = cluster.node(1).running.broker;
  await cluster.until(() => metadata.image.scramCredential("alice", "SCRAM-SHA-256") !== undefined);
  expect(await write(cluster, "alice", ALICE_AT)).toBe("written");
  expect(await read(cluster, "alice", ALICE_AT)).toBe("3 records");
}, 60_000);
