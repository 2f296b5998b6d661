/** What does here what well-known Java connectors of third parties do: their classes cannot run. */

/** By a part of the class name; the first that fits. */
const EQUIVALENTS: readonly (readonly [part: RegExp, name: string])[] = [
  [/debezium.*postgres/i, "postgres-cdc-source"],
  [/s3SinkConnector|aiven.*s3.*sink|lenses.*s3.*sink/i, "s3-sink"],
  [/s3SourceConnector|lenses.*s3.*source/i, "s3-source"],
  [/JdbcSinkConnector|debezium.*jdbc/i, "sql-sink"],
  [/JdbcSourceConnector/i, "sql-source"],
  [/(elasticsearch|opensearch).*sink/i, "elasticsearch-sink"],
  [/datagen/i, "datagen"],
  [/redis.*source/i, "redis-source"],
  [/redis.*sink/i, "redis-sink"],
  [/mqtt.*source/i, "mqtt-source"],
  [/mqtt.*sink/i, "mqtt-sink"],
  [/http.*source/i, "http-source"],
  [/http.*sink/i, "http-sink"],
  [/syslog/i, "syslog-source"],
  [/spooldir|filepulse|fs\.FsSource/i, "file-source"],
  [/FileStreamSource/i, "file-source"],
  [/FileStreamSink/i, "file-sink"],
];

/** Our name for what such a class does, whether it is there or not; null: we know of none. */
export function equivalentOf(className: string): string | null {
  return EQUIVALENTS.find(([part]) => part.test(className))?.[1] ?? null;
}
