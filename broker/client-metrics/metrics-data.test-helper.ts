/** Pushes as clients make them: OpenTelemetry's `MetricsData` in protobuf. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A metric of one number per point. */
export interface TestMetric {
  readonly name: string;
  readonly value?: number;
  /** `double` by default. */
  readonly as?: "double" | "int";
  readonly attributes?: Readonly<Record<string, string>>;
  /** Left out: a gauge. */
  readonly sum?: { readonly isMonotonic: boolean; readonly temporality: 1 | 2 };
}

type Write = (writer: BinaryWriter) => void;

function message(writer: BinaryWriter, number: number, write: Write): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function text(writer: BinaryWriter, number: number, value: string): void {
  writer.tag(number, WireType.LengthDelimited).string(value);
}

function attributes(writer: BinaryWriter, number: number, values: Record<string, string>): void {
  for (const [key, value] of Object.entries(values)) {
    message(writer, number, (inner) => {
      text(inner, 1, key);
      message(inner, 2, (any) => text(any, 1, value));
    });
  }
}

/** A push of these metrics, of one resource. */
export function metricsData(
  metrics: readonly TestMetric[],
  resource: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  message(writer, 1, (resourceMetrics) => {
    message(resourceMetrics, 1, (inner) => attributes(inner, 1, resource));
    message(resourceMetrics, 2, (scope) => {
      for (const metric of metrics) message(scope, 2, (inner) => writeMetric(inner, metric));
    });
  });
  return writer.finish();
}

function writeMetric(writer: BinaryWriter, metric: TestMetric): void {
  const { name, value = 1, as = "double", sum } = metric;
  text(writer, 1, name);
  message(writer, sum === undefined ? 5 : 7, (data) => {
    message(data, 1, (point) => {
      if (as === "double") point.tag(4, WireType.Bit64).double(value);
      else point.tag(6, WireType.Bit64).sfixed64(value);
      attributes(point, 7, { ...metric.attributes });
    });
    if (sum === undefined) return;
    data.tag(2, WireType.Varint).int32(sum.temporality);
    data.tag(3, WireType.Varint).bool(sum.isMonotonic);
  });
}
