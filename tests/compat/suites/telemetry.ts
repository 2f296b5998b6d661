/**
 * What goes to an OpenTelemetry collector, with other people's clients: the metrics that Kafka's Java
 * clients push (KIP-714), and spans of records that kafkajs has sent.
 */
import { join } from "node:path";
import { FakeCollector } from "../../../admin/otlp/collector.test-helper.ts";
import { type PushedMetric, readMetrics } from "../../../broker/client-metrics/pushed-metrics.ts";
import { type BrokerProcess, withBroker } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needNode } from "../install.ts";
import { javaProgram, needJavaPrograms } from "../java-programs.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const DEADLINE_MS = 60_000;

async function withCollector(
  settings: Readonly<Record<string, string>>,
  body: (broker: BrokerProcess, collector: FakeCollector) => Promise<void>,
): Promise<void> {
  const collector = new FakeCollector();
  const all = { "kstream.otlp.endpoint": collector.endpoint, ...settings };
  const set = Object.entries(all).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  try {
    await withBroker((broker) => body(broker, collector), {
      args: ["--admin", "127.0.0.1:0", ...set],
    });
  } finally {
    await collector.stop();
  }
}

/** Metrics that the collector has of a client. */
function pushed(collector: FakeCollector, clientId: string): PushedMetric[] {
  return collector.taken.filter(({ contentType }) => contentType === "application/x-protobuf")
    .flatMap(({ body }) => readMetrics(body))
    .filter(({ resource }) => resource.get("client_id") === clientId);
}

/** Waits for what has to come, and says what did not. */
async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const id = setTimeout(() => timer.reject(new Error(`not in time: ${what}`)), DEADLINE_MS);
  try {
    return await Promise.race([promise, timer.promise]);
  } finally {
    clearTimeout(id);
  }
}

function javaClientsPush(): Promise<void> {
  return withCollector({}, async ({ bootstrap, admin }, collector) => {
    const child = Bun.spawn(javaProgram("ClientMetrics", bootstrap), {
      stdin: "pipe",
      stdout: "inherit",
      stderr: "inherit",
    });
    try {
      const sent = await within(
        "a count of the producer's records",
        collector.until(() =>
          pushed(collector, "shop").find(({ name, points }) =>
            name === "org.apache.kafka.producer.record.send.total" && (points[0]?.value ?? 0) > 0
          )
        ),
      );
      expectEqual(sent.kind, "counter", "the kind of a total");
      const { resource } = sent;
      expectEqual(resource.get("client_software_name"), "apache-kafka-java", "software");
      expectEqual(resource.get("client_source_address"), "127.0.0.1", "address");
      expectEqual(resource.get("principal"), "User:ANONYMOUS", "principal");
      const consumed = await within(
        "a metric of the consumer",
        collector.until(() =>
          pushed(collector, "desk").find(({ name }) =>
            name.startsWith("org.apache.kafka.consumer.")
          )
        ),
      );
      expectEqual(consumed.resource.get("group_id"), "readers", "group");
      const shown = await (await fetch(`${admin}/metrics/clients`)).text();
      const id = resource.get("client_instance_id");
      expectContains(
        shown,
        `kafka_client_producer_record_send_total{client_instance_id="${id}",client_id="shop"`,
        "/metrics/clients",
      );
    } finally {
      child.stdin.write("\n");
      await child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
      await child.exited;
      clearTimeout(timer);
    }
    expectEqual(child.exitCode, 0, "the program's exit code");
  });
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

function kafkajsIsTraced(): Promise<void> {
  return withCollector({ "kstream.otlp.traces": "on" }, async ({ bootstrap }, collector) => {
    const script = join(import.meta.dir, "../clients/kafkajs-traced.mjs");
    const traceparents = [`00-${TRACE}-${SPAN}-01`, `00-${SPAN}${SPAN}-${SPAN}-00`];
    await runOk(["node", script], {
      env: { BOOTSTRAP: bootstrap, TRACEPARENTS: traceparents.join() },
      timeoutMs: DEADLINE_MS,
    });
    const spans = await within(
      "two spans",
      collector.until(() => collector.spans().length >= 2 && collector.spans()),
    );
    const told = spans.map(({ traceId, parentSpanId, name, attributes }) => [
      traceId,
      parentSpanId,
      name,
      attributes["kafka.offset"],
      attributes["messaging.client.id"],
    ]);
    const of = (offset: number) => [TRACE, SPAN, "append traced", offset, "shop"];
    expectEqual(told, [of(1), of(4)], "spans");
  });
}

export const telemetry: CompatSuite = {
  name: "telemetry",
  needs: [needJavaPrograms, needNode],
  inSample: true,
  cases: [
    { name: "metrics that Kafka's Java clients push", run: javaClientsPush },
    { name: "spans of records that kafkajs sends", run: kafkajsIsTraced },
  ],
};
