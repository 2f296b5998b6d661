/**
 * Sends what clients push (KIP-714) on to an OpenTelemetry collector: their protobuf, with what the
 * broker knows of each client in its resource. Several pushes go in one request; if the collector
 * refuses it, each goes alone, so that a bad one takes no others along.
 */
import type { Broker } from "../../broker/broker.ts";
import type { PushQueue } from "../../broker/client-metrics/push-queue.ts";
import { sleep } from "../../core/io.ts";
import { Backoff } from "./backoff.ts";
import { Collector } from "./collector.ts";

/** How often pushes that wait are sent. */
const INTERVAL_MS = 1_000;
/** Of one request, unless a push alone has more. */
const REQUEST_BYTES_MAX = 1024 * 1024;

/** Sends until the broker stops, then what is left; resolves then. Never rejects. */
export async function exportClientMetrics(
  broker: Broker,
  queue: PushQueue,
): Promise<void> {
  const { io: { clock }, stopping } = broker;
  const collector = new Collector(broker, "/v1/metrics", "clients' metrics");
  const exporter = new PushExporter(queue, collector);
  const backoff = new Backoff(INTERVAL_MS);
  while (!stopping.aborted) {
    await sleep(clock, backoff.waitMs, stopping).catch(() => {});
    if (!stopping.aborted) backoff.note(await exporter.drain());
  }
  await exporter.drain();
}

class PushExporter {
  /** Taken out of the queue and not sent yet: each is the pushes of one request. */
  #requests: (readonly Uint8Array<ArrayBuffer>[])[] = [];

  constructor(private readonly queue: PushQueue, private readonly collector: Collector) {}

  /** Sends all that waits; false: the collector takes nothing at the moment. */
  async drain(): Promise<boolean> {
    for (;;) {
      const pushes = this.#requests[0] ?? this.queue.take(REQUEST_BYTES_MAX);
      if (pushes.length === 0) return true;
      this.#requests[0] = pushes;
      // A request is a repeated field, of which each push has some: one behind the other they are one.
      const body = joined(pushes);
      const delivery = await this.collector.send(body, "application/x-protobuf");
      if (!delivery.ok && delivery.mayRetry) return false;
      this.#requests.shift();
      if (delivery.ok) this.queue.exported += pushes.length;
      else if (pushes.length === 1) this.queue.refused++;
      else this.#requests.push(...pushes.map((push) => [push]));
    }
  }
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
