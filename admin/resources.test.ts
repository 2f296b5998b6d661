/** Groups, configs, brokers, transactions, security and Confluent's paths, over a real broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { BrokerConfig } from "../broker/config/broker-config.ts";
import { bunCodecs } from "../core/compression/bun.ts";
import { Producer } from "../client/producer.ts";
import { leaveOpen } from "../tests/harness/raw-transactions.ts";
import { ApiWorld, topic } from "./api.test-helper.ts";
import { OwnClients } from "./own-connection.ts";

let world: ApiWorld;
let own: OwnClients;

beforeAll(async () => {
  const config = BrokerConfig.of({
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "transaction.partition.verification.enable": "false",
  });
  world = await ApiWorld.start({ topics: [topic("orders", 2)], config });
  own = new OwnClients(world.running);
  const { io, options, admin } = own.of();
  const producer = new Producer(io, { ...options, codecs: bunCodecs });
  const value = new Uint8Array(10);
  for (let i = 0; i < 10; i++) await producer.send({ topic: "orders", partition: i % 2, value });
  await producer.close();
  await admin.groups.alterOffsets("billing", [{ topic: "orders", partition: 0, offset: 2n }]);
});
afterAll(async () => {
  own.close();
  await world.stop();
});

const ask = (method: string, path: string, body?: unknown, headers = {}) =>
  world.ask(method, path, body, headers);

test("groups are listed and described with what they have yet to read", async () => {
  expect((await ask("GET", "/v1/groups")).body).toMatchObject({
    groups: [{ group: "billing", state: "Empty", lag: 3, lagSeconds: expect.any(Number) }],
    nextCursor: null,
  });
  expect((await ask("GET", "/v1/groups/billing")).body).toMatchObject({
    group: "billing",
    lag: 3,
    members: [],
    partitions: [{ topic: "orders", partition: 0, offset: 2, endOffset: 5, lag: 3 }],
  });
  expect((await ask("GET", "/v1/groups?lag=false")).body)
    .toMatchObject({ groups: [{ group: "billing", lag: null, lagSeconds: null }] });
  expect(await ask("GET", "/v1/groups/none"))
    .toMatchObject({ status: 404, body: { error: "GROUP_ID_NOT_FOUND" } });
});

test("a group is moved after a look at where it would be", async () => {
  const seek = (query: string, body: unknown) =>
    ask("POST", `/v1/groups/billing/seek${query}`, body);
  const offset = async () => {
    const { body } = await ask("GET", "/v1/groups/billing");
    return (body as { partitions: { offset: number }[] }).partitions[0]?.offset;
  };
  const moves = [{ topic: "orders", partition: 0, currentOffset: 2, newOffset: 0, note: null }];
  expect((await seek("?dryRun=true", { to: "start" })).body)
    .toEqual({ group: "billing", executed: false, partitions: moves });
  expect(await offset()).toBe(2);
  expect((await seek("", { to: "start" })).body).toMatchObject({
    executed: true,
    partitions: moves,
  });
  expect(await offset()).toBe(0);
  expect((await seek("", { shift: 4, topics: ["orders"] })).body)
    .toMatchObject({ partitions: [{ partition: 0, newOffset: 4 }] });
  expect((await seek("", { to: "nowhere" })).status).toBe(400);
  expect((await seek("", {})).status).toBe(400);
  expect((await ask("DELETE", "/v1/groups/billing/offsets/orders")).status).toBe(200);
  expect((await ask("DELETE", "/v1/groups/none")).status).toBe(404);
});

test("configs say what they are for, and change only for who has seen the last change", async () => {
  const path = "/v1/topics/orders/configs";
  const first = await ask("GET", path);
  const { configs } = first.body as { configs: { name: string; documentation: string }[] };
  const retention = configs.find(({ name }) => name === "retention.ms");
  expect(retention).toMatchObject({ value: "604800000", source: "default", readOnly: false });
  expect(retention?.documentation.length).toBeGreaterThan(20);
  const etag = { "if-match": first.headers.get("etag") ?? "" };
  const dry = await ask("PATCH", `${path}?dryRun=true`, { "retention.ms": "nonsense" });
  expect(dry).toMatchObject({ status: 400, body: { error: "INVALID_CONFIG" } });
  expect((await ask("PATCH", path, { "retention.ms": "1000" }, etag)).status).toBe(200);
  const late = await ask("PATCH", path, { "retention.ms": "2000" }, etag);
  expect(late).toMatchObject({ status: 412, body: { type: "/problems/changed-meanwhile" } });
  const { body } = await ask("PATCH", path, { "retention.ms": null });
  expect((body as { configs: unknown[] }).configs)
    .toContainEqual({ ...retention, value: "604800000", source: "default" });
  expect((await ask("GET", "/v1/topics/none/configs")).status).toBe(404);
  expect((await ask("GET", "/v1/brokers/77/configs")).status).toBe(404);
});

test("the cluster and its brokers", async () => {
  const { nodeId, clusterId } = world.running.broker;
  const { body } = await ask("GET", "/v1/cluster");
  expect(body).toMatchObject({
    clusterId,
    controllerId: nodeId,
    leaderless: 0,
    brokers: [{ nodeId }],
  });
  expect((await ask("GET", "/v1/brokers")).body).toMatchObject({
    brokers: [{ nodeId, fenced: false }],
  });
  expect((await ask("GET", `/v1/brokers/${nodeId}/log-dirs`)).body)
    .toMatchObject({ logDirs: [{ path: "/data", failed: false, sizeBytes: expect.any(Number) }] });
  expect((await ask("GET", `/v1/brokers/${nodeId}/configs`)).status).toBe(200);
});

test("a transaction is seen and aborted", async () => {
  const { io, options } = own.of();
  const producer = new Producer(io, { ...options, codecs: bunCodecs, transactionalId: "pay/1" });
  await producer.transactions.init();
  producer.transactions.begin();
  await producer.send({ topic: "orders", partition: 1, value: new Uint8Array(1) });
  expect((await ask("GET", "/v1/transactions")).body)
    .toMatchObject({
      transactions: [{
        transactionalId: "pay/1",
        state: "Ongoing",
        startTimeMs: expect.any(Number),
        timeoutMs: 60_000,
      }],
    });
  // It is known to its coordinator, so it does not hang.
  expect((await ask("GET", "/v1/hanging-transactions?longerMs=0")).body)
    .toEqual({ transactions: [] });
  const place = { topic: "orders", partition: 1, startOffset: 5 };
  expect(await ask("POST", "/v1/hanging-transactions/abort", place))
    .toMatchObject({ status: 409, body: { detail: 'it does not hang: it is one of "pay/1"' } });
  const producers = await ask("GET", "/v1/topics/orders/partitions/1/producers");
  expect(JSON.stringify(producers.body)).toContain('"txnStartOffset":5');
  const idsOf = async (query: string) => {
    const { body } = await ask("GET", `/v1/transactions?${query}`);
    const { transactions } = body as { transactions: { transactionalId: string }[] };
    return transactions.map(({ transactionalId }) => transactionalId);
  };
  expect(await idsOf("state=Ongoing,PrepareCommit&longerMs=0&pattern=pay.*")).toEqual(["pay/1"]);
  expect(await idsOf("filter=PAY")).toEqual(["pay/1"]);
  for (
    const none of ["state=CompleteCommit", "longerMs=3600000", "pattern=pay", "producerId=9999"]
  ) {
    expect(await idsOf(none)).toEqual([]);
  }
  for (const wrong of ["state=Gone", "producerId=1,x", "longerMs=-1", "pattern=(", "pattern="]) {
    expect((await ask("GET", `/v1/transactions?${wrong}`)).status).toBe(400);
  }
  const path = "/v1/transactions/pay%2F1";
  expect((await ask("POST", `${path}/abort`)).body).toMatchObject({
    state: "Ongoing",
    partitions: [{ topic: "orders", partitions: [1] }],
  });
  expect((await ask("POST", `${path}/abort`)).status).toBe(409);
  expect((await ask("GET", "/v1/transactions")).body)
    .toMatchObject({ transactions: [{ transactionalId: "pay/1", startTimeMs: null }] });
  expect((await ask("GET", "/v1/transactions/none")).status).toBe(404);
  await producer.close().catch(() => {});
});

test("ACLs, quotas and users; no secret comes back", async () => {
  const acl = {
    resourceType: "TOPIC",
    resourceName: "orders",
    patternType: "LITERAL",
    principal: "User:alice",
    host: "*",
    operation: "READ",
    permission: "ALLOW",
  };
  expect((await ask("POST", "/v1/acls", acl)).status).toBe(201);
  expect((await ask("GET", "/v1/acls?principal=User:alice")).body).toEqual({
    acls: [acl],
    nextCursor: null,
  });
  expect((await ask("GET", "/v1/acls?filter=nobody")).body).toMatchObject({ acls: [] });
  expect((await ask("DELETE", "/v1/acls?dryRun=true")).body).toEqual({ acls: [acl] });
  expect((await ask("DELETE", "/v1/acls")).status).toBe(400);
  expect((await ask("DELETE", "/v1/acls?operation=READ")).body).toEqual({ acls: [acl] });
  expect((await ask("GET", "/v1/acls")).body).toEqual({ acls: [], nextCursor: null });
  expect((await ask("POST", "/v1/acls", { ...acl, operation: "SING" })).status).toBe(400);
  const entity = { user: "alice" };
  const quotas = { producer_byte_rate: 1000 };
  expect((await ask("PATCH", "/v1/quotas", { entity, quotas })).status).toBe(200);
  expect((await ask("GET", "/v1/quotas")).body)
    .toEqual({ quotas: [{ entity, quotas }], nextCursor: null });
  await own.of().admin.users.set("alice", "sesame", {});
  const users = await ask("GET", "/v1/users");
  expect(users.body).toEqual({
    users: [{ name: "alice", iterations: { "SCRAM-SHA-256": 8192 } }],
    nextCursor: null,
  });
});

test("a transaction that no coordinator knows of is found and ended", async () => {
  const port = world.running.listeners[0]?.bound.port ?? 0;
  const lost = { topic: "orders", partition: 0, records: 3 };
  await leaveOpen(port, { ...lost, transactionalId: "lost", known: false });
  const list = "/v1/hanging-transactions";
  expect((await ask("GET", list)).body).toEqual({ transactions: [] });
  const found = { topic: "orders", partition: 0, startOffset: 5 };
  expect((await ask("GET", `${list}?longerMs=0`)).body).toMatchObject({ transactions: [found] });
  const abort = (startOffset: number, query = "") =>
    ask("POST", `${list}/abort${query}`, { ...found, startOffset });
  expect((await abort(4)).status).toBe(404);
  expect(await abort(5, "?dryRun=true")).toMatchObject({ status: 200, body: found });
  expect((await ask("GET", `${list}?longerMs=0`)).body).toMatchObject({ transactions: [found] });
  expect((await abort(5)).status).toBe(200);
  expect((await ask("GET", `${list}?longerMs=0`)).body).toEqual({ transactions: [] });
});

test("users are added, get other passwords and are deleted", async () => {
  const log = (body: unknown) => ask("PUT", "/v1/users/bob", body);
  expect(await log({ password: "first", mechanism: "SCRAM-SHA-512", iterations: 4096 }))
    .toMatchObject({ status: 200, body: { name: "bob", iterations: { "SCRAM-SHA-512": 4096 } } });
  // No older password stays: what is set is set for each mechanism that there is.
  const { body } = await log({ password: "second" });
  expect(body).toEqual({ name: "bob", iterations: { "SCRAM-SHA-512": 8192 } });
  expect(JSON.stringify(body)).not.toContain("second");
  expect((await log({ password: "third", mechanism: "SCRAM-SHA-256" })).body)
    .toEqual({ name: "bob", iterations: { "SCRAM-SHA-256": 8192, "SCRAM-SHA-512": 8192 } });
  expect((await log({ password: "" })).status).toBe(400);
  expect((await log({ password: "a\nb" })).status).toBe(400);
  expect((await ask("DELETE", "/v1/users/bob?mechanism=SCRAM-SHA-256")).status).toBe(200);
  expect((await ask("DELETE", "/v1/users/bob?mechanism=SCRAM-SHA-256")).status).toBe(404);
  expect((await ask("DELETE", "/v1/users/bob")).body).toEqual({ deleted: "bob" });
  expect(await ask("DELETE", "/v1/users/bob"))
    .toMatchObject({ status: 404, body: { detail: 'there is no user "bob"' } });
});

test("who asks is told who they are", async () => {
  expect((await ask("GET", "/v1/me")).body).toMatchObject({
    principal: "User:ANONYMOUS",
    cluster: expect.arrayContaining(["DESCRIBE", "ALTER"]),
    sees: { topics: true, groups: true, transactions: true },
  });
});

test("Confluent's paths, in its words", async () => {
  const { clusterId } = world.running.broker;
  const base = `/kafka/v3/clusters/${clusterId}/topics`;
  const made = await ask("POST", base, { topic_name: "theirs", partitions_count: 3 });
  expect(made).toMatchObject({
    status: 201,
    body: { kind: "KafkaTopic", topic_name: "theirs", partitions_count: 3, cluster_id: clusterId },
  });
  expect((await ask("GET", base)).body).toMatchObject({ kind: "KafkaTopicList" });
  expect((await ask("GET", `${base}/theirs/partitions`)).body)
    .toMatchObject({ data: [{ partition_id: 0 }, { partition_id: 1 }, { partition_id: 2 }] });
  expect(JSON.stringify((await ask("GET", `${base}/theirs/configs`)).body)).toContain(
    "retention.ms",
  );
  expect((await ask("DELETE", `${base}/theirs`)).status).toBe(204);
  expect((await ask("GET", `${base}/theirs`)).status).toBe(404);
  expect((await ask("GET", "/kafka/v3/clusters/other/topics")).status).toBe(404);
});
