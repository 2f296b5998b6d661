/**
 * What clients push (KIP-714): OpenTelemetry's `MetricsData` in protobuf, which has the same layout as
 * the request that collectors take. Everything is checked that collectors would refuse a request for,
 * and bounded: a push comes from anybody.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { eachField, type Field, MalformedError } from "./protobuf.ts";

/** A value of a metric. */
export interface PushedPoint {
  /** Those that are texts, numbers or booleans, as texts. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly value: number;
}

/** A metric of one number per point. */
export interface PushedMetric {
  readonly name: string;
  readonly description: string;
  /** A counter is a sum that only grows, since the client began; every other number is a gauge. */
  readonly kind: "counter" | "gauge";
  readonly points: readonly PushedPoint[];
  /** The attributes of its resource, as those of points. */
  readonly resource: ReadonlyMap<string, string>;
}

/** The attributes that a broker gives to all that a client has pushed; they win over the client's. */
export type ResourceLabels = Readonly<Record<string, string>>;

const POINTS_MAX = 50_000;
const ATTRIBUTES_MAX = 128;
const NESTING_MAX = 8;
/** `AGGREGATION_TEMPORALITY_CUMULATIVE` */
const CUMULATIVE = 2;
/** What tells services apart where a client names none. */
const SERVICE_NAME = "service.name";
const SERVICE_INSTANCE = "service.instance.id";

/** All metrics of a push; histograms and summaries are left out. Throws a `MalformedError`. */
export function readMetrics(data: Uint8Array): PushedMetric[] {
  const metrics: PushedMetric[] = [];
  let points = 0;
  eachMessage(data, 1, (resourceMetrics) => {
    const resource = new Map<string, string>();
    eachMessage(resourceMetrics, 1, (message) => readAttributes(message, 1, resource));
    eachMessage(resourceMetrics, 2, (scopeMetrics) => {
      eachMessage(scopeMetrics, 2, (message) => {
        const metric = readMetric(message, resource, POINTS_MAX - points);
        points += metric.points.length;
        metrics.push(metric);
      });
    });
  });
  return metrics;
}

/** The push with the labels in each resource. Throws a `MalformedError`. */
export function withLabels(data: Uint8Array, labels: ResourceLabels): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  eachMessage(data, 1, (resourceMetrics) => {
    writer.tag(1, WireType.LengthDelimited).fork();
    const resource = new BinaryWriter();
    const rest: Uint8Array[] = [];
    const known = new Set<string>();
    eachField(resourceMetrics, (field, whole) => {
      if (field.number !== 1) rest.push(whole);
      else copyResource(field.bytes(), labels, resource, known);
    });
    for (const [key, value] of Object.entries(labels)) writeAttribute(resource, key, value);
    const { client_id: clientId, client_instance_id: instance } = labels;
    if (!known.has(SERVICE_NAME)) {
      writeAttribute(resource, SERVICE_NAME, clientId || "kafka-client");
    }
    if (!known.has(SERVICE_INSTANCE)) writeAttribute(resource, SERVICE_INSTANCE, instance ?? "");
    writer.tag(1, WireType.LengthDelimited).bytes(resource.finish());
    for (const whole of rest) writer.raw(whole);
    writer.join();
  });
  return writer.finish();
}

function copyResource(
  resource: Uint8Array,
  labels: ResourceLabels,
  writer: BinaryWriter,
  known: Set<string>,
): void {
  eachField(resource, (field, whole) => {
    const key = field.number === 1 ? readAttribute(field.bytes()).key : "";
    known.add(key);
    if (!Object.hasOwn(labels, key)) writer.raw(whole);
  });
}

function writeAttribute(writer: BinaryWriter, key: string, value: string): void {
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(key);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(value);
  writer.join().join();
}

/** Calls back for each message in a repeated field; other texts on the way are left alone. */
function eachMessage(
  data: Uint8Array,
  number: number,
  callback: (message: Uint8Array) => void,
): void {
  eachField(data, (field) => {
    if (field.number === number) callback(field.bytes());
  });
}

/** Adds those of a repeated field; what has no text is left out. */
function readAttributes(message: Uint8Array, number: number, into: Map<string, string>): void {
  let count = 0;
  eachMessage(message, number, (attribute) => {
    if (++count > ATTRIBUTES_MAX) throw new MalformedError("too many attributes");
    const { key, value } = readAttribute(attribute);
    if (value !== null) into.set(key, value);
  });
}

function readMetric(
  metric: Uint8Array,
  resource: ReadonlyMap<string, string>,
  pointsMax: number,
): PushedMetric {
  let name = "";
  let description = "";
  let kind: PushedMetric["kind"] = "gauge";
  const points: PushedPoint[] = [];
  const addPoint = (field: Field) => {
    if (points.length >= pointsMax) throw new MalformedError("too many points");
    const point = readPoint(field.bytes());
    if (point !== null) points.push(point);
  };
  eachField(metric, (field) => {
    if (field.number === 1) name = field.text();
    else if (field.number === 2) description = field.text();
    else if (field.number === 3) field.text();
    else if (field.number === 5) {
      eachField(field.bytes(), (inner) => inner.number === 1 && addPoint(inner));
    } else if (field.number === 7) {
      let temporality = 0;
      let isMonotonic = false;
      eachField(field.bytes(), (inner) => {
        if (inner.number === 1) addPoint(inner);
        else if (inner.number === 2) temporality = inner.int32();
        else if (inner.number === 3) isMonotonic = inner.bool();
      });
      if (isMonotonic && temporality === CUMULATIVE) kind = "counter";
    }
  });
  return { name, description, kind, points, resource };
}

/** Null: it has no value. */
function readPoint(bytes: Uint8Array): PushedPoint | null {
  const attributes = new Map<string, string>();
  let value: number | null = null;
  readAttributes(bytes, 7, attributes);
  eachField(bytes, (field) => {
    if (field.number === 4) value = field.double();
    else if (field.number === 6) value = field.sfixed64();
  });
  return value === null ? null : { attributes, value };
}

function readAttribute(bytes: Uint8Array, depth = 0): { key: string; value: string | null } {
  let key = "";
  let value: string | null = null;
  eachField(bytes, (field) => {
    if (field.number === 1) key = field.text();
    else if (field.number === 2) value = readValue(field.bytes(), depth);
  });
  return { key, value };
}

/** An `AnyValue`; null for lists, maps and bytes, which are checked alone. */
function readValue(bytes: Uint8Array, depth: number): string | null {
  if (depth > NESTING_MAX) throw new MalformedError("values that are nested too deeply");
  let value: string | null = null;
  eachField(bytes, (field) => {
    switch (field.number) {
      case 1:
        value = field.text();
        break;
      case 2:
        value = String(field.bool());
        break;
      case 3:
        value = String(field.int64());
        break;
      case 4:
        value = String(field.double());
        break;
      case 5:
        eachMessage(field.bytes(), 1, (item) => readValue(item, depth + 1));
        break;
      case 6:
        eachMessage(field.bytes(), 1, (item) => readAttribute(item, depth + 1));
        break;
    }
  });
  return value;
}
