/** What all kinds of telemetry have in common in OTLP's JSON: 64-bit integers are texts there. */
import type { Broker } from "../../broker/broker.ts";

type AttributeValue = string | number | boolean;

/** Milliseconds as the text of nanoseconds, which no number holds exactly. */
export function nanos(ms: number): string {
  return `${BigInt(Math.round(ms * 1000))}000`;
}

/** A `KeyValue`. Numbers are integers. */
export function attribute(key: string, value: AttributeValue): object {
  switch (typeof value) {
    case "string":
      return { key, value: { stringValue: value } };
    case "boolean":
      return { key, value: { boolValue: value } };
    case "number":
      return { key, value: { intValue: String(value) } };
  }
}

/** This broker as a `Resource`. */
export function brokerResource({ clusterId, nodeId }: Broker, version: string): object {
  const attributes = [
    attribute("service.name", "kstream"),
    attribute("service.version", version),
    attribute("service.namespace", clusterId),
    attribute("service.instance.id", String(nodeId)),
  ];
  return { attributes };
}
