/** `/metrics` over a real broker: what is counted, what is shown, the formats, the bounds. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunIo } from "../../core/io/bun/index.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import { offsetCommit } from "../../core/protocol/08-offset-commit.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { deleteTopics } from "../../core/protocol/20-delete-topics.ts";
import { joinChunks } from "../../core/protocol/codec.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import { type RunningBroker, startBroker } from "../../broker/start-broker.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { type AdminApp, adminApp } from "../app.ts";
import { type AdminServices, adminServices } from "../services.ts";
import { ALIASES, DETAIL_ALIASES } from "./aliases.ts";
import { DETAIL_METRICS } from "./detail.ts";
import { sampleName } from "./family.ts";
import { METRICS } from "./registry.ts";
import { Slots } from "./slots.ts";
import { parseMetrics } from "./strict-text.test-helper.ts";
import { textFormatFor } from "../../core/metrics/text.ts";

let running: RunningBroker;
let app: AdminApp;
let services: AdminServices;
let client: RawClient;
const WRITTEN_MS = 1_700_000_000_000;

beforeAll(async () => {
  const topics = ["orders", 're"turns', "parcels", "letters"].map((name) => ({
    name: name.replace('"', "-"),
    numPartitions: 2,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  running = await startBroker({
    io,
    logger: silentLogger,
    dataDir: "/data",
    topics,
    config: BrokerConfig.of({ "kstream.metrics.topics.max": "3" }),
  });
  services = adminServices(running, () => Promise.resolve(null), "1.2.3");
  app = adminApp(services, "127.0.0.1", null);
  client = await RawClient.connect(running.port);
  await client.request(apiVersions, 4, {
    clientSoftwareName: "raw",
    clientSoftwareVersion: "1.2",
  });
});
afterAll(async () => {
  client.close();
  services.close();
  await running.stop();
});

async function textOf(path: string, accept = "text/plain"): Promise<string> {
  const url = `http://127.0.0.1${path}`;
  const request = new Request(url, { headers: { accept, host: "127.0.0.1" } });
  const answer = await app.fetch(request, { peer: { host: "127.0.0.1", port: 1 } });
  expect(answer.status).toBe(200);
  return await answer.text();
}

/** The samples of all families, by name with labels. */
async function samplesOf(path: string): Promise<Map<string, number>> {
  const families = parseMetrics(await textOf(path), "prometheus");
  return new Map([...families.values()].flatMap(({ samples }) => [...samples]));
}

async function produceTo(topic: string, count: number): Promise<number> {
  const builder = new BatchBuilder();
  for (let index = 0; index < count; index++) {
    builder.append(WRITTEN_MS + index, null, new Uint8Array(10));
  }
  const records = builder.build();
  const { responses } = await client.request(produce, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: joinChunks([records]) }] }],
  });
  expect(responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
  return records.length;
}

test("records, bytes and requests are counted where they happen", async () => {
  const before = await samplesOf("/metrics");
  const bytes = await produceTo("orders", 5);
  await client.request(fetchApi, 12, {
    maxWaitMs: 0,
    maxBytes: 100_000,
    topics: [{
      topic: "orders",
      partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 100_000 }],
    }],
  });
  const after = await samplesOf("/metrics");
  const grown = (name: string) => (after.get(name) ?? NaN) - (before.get(name) ?? 0);
  expect(grown('kstream_topic_produced_records_total{topic="orders"}')).toBe(5);
  expect(grown('kstream_topic_produced_bytes_total{topic="orders"}')).toBe(bytes);
  expect(grown('kstream_topic_fetched_bytes_total{topic="orders"}')).toBe(bytes);
  expect(grown("kstream_produced_records_total")).toBe(5);
  expect(grown('kstream_request_duration_seconds_count{api="Produce"}')).toBe(1);
  expect(grown('kstream_request_duration_seconds_count{api="Fetch"}')).toBe(1);
  expect(grown('kstream_request_queue_seconds_count{api="Fetch"}')).toBe(1);
  expect(grown('kstream_request_received_bytes_total{api="Produce"}')).toBeGreaterThan(bytes);
  expect(grown('kstream_network_received_bytes_total{listener="PLAINTEXT"}'))
    .toBe(
      grown('kstream_request_received_bytes_total{api="Produce"}') +
        grown('kstream_request_received_bytes_total{api="Fetch"}'),
    );
  expect(after.get('kstream_requests_in_flight{api="Produce"}')).toBe(0);
  expect(after.get('kstream_connections{listener="PLAINTEXT"}')).toBe(1);
  expect(after.get('kstream_clients{software="raw",version="1.2"}')).toBe(1);
  expect(after.get('kstream_topic_size_bytes{topic="orders"}')).toBe(bytes);
  expect(after.get("kstream_partitions_led")).toBeGreaterThanOrEqual(8);
  expect(after.get("kstream_cluster_partitions_offline")).toBe(0);
  expect(after.get("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  expect(after.get("process_open_fds")).toBeGreaterThan(0);
  const build = [...after.keys()].find((key) => key.startsWith("kstream_build_info"));
  expect(build).toContain('version="1.2.3"');
});

test("errors are counted by API and kind", async () => {
  await client.request(fetchApi, 12, {
    maxWaitMs: 0,
    maxBytes: 1000,
    topics: [{
      topic: "nowhere",
      partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }],
    }],
  });
  const name = 'kstream_request_errors_total{api="Fetch",error="UNKNOWN_TOPIC_OR_PARTITION"}';
  expect((await samplesOf("/metrics")).get(name)).toBe(1);
});

test("what waits is in flight, and counts when it is answered", async () => {
  const name = 'kstream_requests_in_flight{api="Fetch"}';
  client.send(fetchApi, 12, {
    maxWaitMs: 60_000,
    minBytes: 1,
    maxBytes: 1000,
    topics: [{
      topic: "parcels",
      partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }],
    }],
  });
  const other = await RawClient.connect(running.port);
  while ((await samplesOf("/metrics")).get(name) !== 1) await other.request(apiVersions, 3, {});
  const { broker } = running;
  const parcels = broker.partitions.find("parcels", 0);
  if (typeof parcels === "number") throw new Error("no parcels");
  const builder = new BatchBuilder();
  builder.append(WRITTEN_MS, null, null);
  parcels.append(builder.build(), "client");
  expect(await client.readFrame()).not.toBeNull();
  expect((await samplesOf("/metrics")).get(name)).toBe(0);
  other.close();
});

test("groups are behind by records and by seconds", async () => {
  await client.request(findCoordinator, 3, { key: "readers", keyType: 0 });
  await commit("readers", "orders", 0, 2);
  await commit("readers", "orders", 1, 0);
  const samples = await samplesOf("/metrics");
  const labels = '{group="readers",topic="orders"}';
  const since = (running.broker.io.clock.wallMs() - WRITTEN_MS) / 1000;
  expect(samples.get(`kstream_group_lag_records${labels}`)).toBe(3);
  expect(samples.get(`kstream_group_committed_partitions${labels}`)).toBe(2);
  expect(samples.get(`kstream_group_lag_seconds${labels}`)).toBeCloseTo(since, -2);
  expect(samples.get('kstream_groups{type="classic",state="Empty"}')).toBe(1);
  await commit("readers", "orders", 0, 5);
  const later = await samplesOf("/metrics");
  expect(later.get(`kstream_group_lag_records${labels}`)).toBe(0);
  expect(later.get(`kstream_group_lag_seconds${labels}`)).toBe(0);
  const detail = await samplesOf("/metrics/detail?aliases=1");
  const ofPartition = 'group="readers",topic="orders",partition="0"}';
  expect(detail.get(`kstream_group_partition_committed_offset{${ofPartition}`)).toBe(5);
  expect(detail.get(`kstream_group_partition_lag_records{${ofPartition}`)).toBe(0);
  expect(detail.get('kstream_partition_end_offset{topic="orders",partition="0"}')).toBe(5);
  expect(detail.get(`kafka_consumergroup_lag{consumer${ofPartition}`)).toBe(0);
});

async function commit(group: string, topic: string, partition: number, offset: number) {
  const { topics } = await client.request(offsetCommit, 8, {
    groupId: group,
    generationIdOrMemberEpoch: -1,
    memberId: "",
    topics: [{
      name: topic,
      partitions: [{
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedMetadata: "",
      }],
    }],
  });
  expect(topics[0]?.partitions[0]?.errorCode).toBe(0);
}

test("topics beyond the bound are one series, which never shrinks", async () => {
  await produceTo("letters", 3);
  const shown = await samplesOf("/metrics");
  const other = 'kstream_topic_produced_records_total{topic="other"}';
  const names = [...shown.keys()].filter((key) => key.startsWith("kstream_topic_produced_records"));
  expect(names.length).toBe(4);
  const total = shown.get("kstream_produced_records_total") ?? NaN;
  expect(shown.get(other)).toBeGreaterThanOrEqual(3);
  const { responses } = await client.request(deleteTopics, 5, {
    topicNames: ["letters"],
    timeoutMs: 10_000,
  });
  expect(responses[0]?.errorCode).toBe(0);
  const later = await samplesOf("/metrics");
  expect(later.get("kstream_produced_records_total")).toBeGreaterThanOrEqual(total);
  await commit("readers", "parcels", 0, 0);
  expect((await samplesOf("/metrics")).get(other)).toBeGreaterThanOrEqual(shown.get(other)!);
});

test("who asks for OpenMetrics gets it, and both formats are strict", async () => {
  const open =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  const all = [...METRICS, ...ALIASES];
  const plain = parseMetrics(await textOf("/metrics?aliases=1"), "prometheus");
  expect([...plain.keys()]).toEqual(all.map(sampleName));
  const families = parseMetrics(await textOf("/metrics?aliases=1", open), "openmetrics");
  expect([...families.keys()]).toEqual(all.map(({ name }) => name));
  expect(families.get("kstream_build")?.type).toBe("info");
  expect(families.get("process_cpu_seconds")?.unit).toBe("seconds");
  const detail = parseMetrics(await textOf("/metrics/detail?aliases=1", open), "openmetrics");
  expect(detail.size).toBe(DETAIL_METRICS.length + DETAIL_ALIASES.length);
  expect(textFormatFor("text/html,*/*")).toBe("prometheus");
  expect(textFormatFor("application/openmetrics-text;version=2.0.0,text/plain;q=0.1"))
    .toBe("prometheus");
});

test("what is wrong is said, with the reason and since when", async () => {
  const ask = async () => {
    const request = new Request("http://127.0.0.1/health", { headers: { host: "127.0.0.1" } });
    const answer = await app.fetch(request, { peer: { host: "127.0.0.1", port: 1 } });
    return [answer.status, await answer.json()];
  };
  const nearlyFull = {
    what: "full-directory /data",
    severity: "warning",
    why: "the data directory /data has less than 1 GiB left",
    since: expect.stringMatching(/^\d{4}-.*Z$/),
  };
  const first = await ask();
  expect(first).toEqual([200, { healthy: true, findings: [nearlyFull] }]);
  expect(await ask()).toEqual(first);
});

test("the strict parser refuses what is wrong", () => {
  const head = "# HELP a_total text\n# TYPE a_total counter\n";
  const good = `${head}a_total{x="1"} 1\n`;
  expect(parseMetrics(good, "prometheus").get("a_total")?.samples.size).toBe(1);
  for (
    const bad of [
      "a_total 1\n",
      `${head}a_total 1`,
      `${head}a_total{x="1"} 1\na_total{x="1"} 2\n`,
      `${head}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 2\n`,
      `${head}a_total{x="a\\q"} 1\n`,
      `${head}a_total -1\n`,
      `${head}a_total one\n`,
      `${head}b_total 1\n`,
      `${good}${head}`,
      good.replaceAll("a_total", "a"),
      "# HELP h t\n# TYPE h histogram\n" +
      'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
      "# HELP h t\n# TYPE h histogram\n" + 'h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
    ]
  ) expect(() => parseMetrics(bad, "prometheus")).toThrow();
});

test("a place is kept until its name is gone, and never taken out of the others", () => {
  const slots = new Slots();
  slots.update(["a", "b", "c"], 2);
  expect(["a", "b", "c"].filter((name) => slots.shows(name))).toEqual(["a", "b"]);
  slots.update(["b", "c", "d"], 2);
  expect(["b", "c", "d"].filter((name) => slots.shows(name))).toEqual(["b", "d"]);
  expect(slots.othersCount).toBe(1);
});
