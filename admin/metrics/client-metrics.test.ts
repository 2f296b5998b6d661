/** What clients push, at `/metrics/clients`: names, labels, bounds. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import {
  metricsData,
  type TestMetric,
} from "../../broker/client-metrics/metrics-data.test-helper.ts";
import { getTelemetrySubscriptions } from "../../core/protocol/71-get-telemetry-subscriptions.ts";
import { pushTelemetry } from "../../core/protocol/72-push-telemetry.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { ApiWorld } from "../api.test-helper.ts";
import { parseMetrics } from "./strict-text.test-helper.ts";
import { TEXT_FORMATS } from "../../core/metrics/text.ts";

let world: ApiWorld;
const clients: RawClient[] = [];
beforeAll(async () => {
  world = await ApiWorld.start({ config: BrokerConfig.of({ "kstream.metrics.clients.max": "2" }) });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await world.stop();
});

/** A client of its own that pushes once; its id. */
async function push(
  metrics: readonly TestMetric[],
  resource?: Readonly<Record<string, string>>,
): Promise<string> {
  const client = await RawClient.connect(world.running.port);
  clients.push(client);
  const { clientInstanceId, subscriptionId, deltaTemporality } = await client.request(
    getTelemetrySubscriptions,
    0,
    { clientInstanceId: ZERO_UUID },
  );
  expect(deltaTemporality).toBe(false);
  const { errorCode } = await client.request(pushTelemetry, 0, {
    clientInstanceId,
    subscriptionId,
    terminating: false,
    compressionType: 0,
    metrics: metricsData(metrics, resource),
  });
  expect(errorCode).toBe(0);
  return clientInstanceId;
}

async function scrape(format = "text/plain"): Promise<string> {
  const answer = await world.fetch("http://localhost/metrics/clients", {
    headers: { accept: format },
  });
  expect(answer.status).toBe(200);
  return await answer.text();
}

test("metrics of clients have their own names, made valid", async () => {
  const id = await push([
    {
      name: "org.apache.kafka.producer.record.send.total",
      value: 42,
      sum: { isMonotonic: true, temporality: 2 },
    },
    { name: "org.apache.kafka.producer.io.wait", value: 1.5, attributes: { "node.id": 'a"\n' } },
    { name: "9 odd-näme", value: 1, as: "int", attributes: { __name__: "x", client_id: "forged" } },
    // Twice the same, and the same name of another kind.
    { name: "9 odd-näme", value: 2, attributes: { __name__: "x" } },
    { name: "9 odd-näme", value: 3, sum: { isMonotonic: true, temporality: 2 } },
  ], { group_id: "readers" });
  for (const format of ["prometheus", "openmetrics"] as const) {
    const text = await scrape(TEXT_FORMATS[format]);
    parseMetrics(text, format);
    const own = `client_instance_id="${id}",client_id="raw"`;
    expect(text).toContain(`kafka_client_producer_record_send_total{${own},group_id="readers"} 42`);
    expect(text).toContain(
      `kafka_client_producer_io_wait{${own},node_id="a\\"\\n",group_id="readers"} 1.5`,
    );
    expect(text).toContain(
      `kafka_client_9_odd_n_me{${own},label___name__="x",group_id="readers"} 1`,
    );
    expect(text).toContain("kstream_client_metrics_series_left_out 2");
  }
});

test("so many clients and series, and the rest is counted", async () => {
  const many = Array.from({ length: 1500 }, (_, index) => ({ name: `m${index}` }));
  const first = await push(many);
  const second = await push([{ name: "m1" }]);
  const text = await scrape();
  parseMetrics(text, "prometheus");
  expect(text).toContain('kstream_client_metrics_clients{shown="yes"} 2');
  expect(text).toContain('kstream_client_metrics_clients{shown="no"} 1');
  expect(text).toContain("kstream_client_metrics_series_left_out 500");
  const ids = new Set(Array.from(text.matchAll(/client_instance_id="([^"]+)"/g), (it) => it[1]));
  expect(ids).toEqual(new Set([first, second]));
});
