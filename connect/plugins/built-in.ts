/** The built-in connectors by name. Each is loaded when it is used: what it needs may be large. */
import type { Plugin } from "./plugins.ts";

/** In the order of their names. */
export const BUILT_IN: readonly Plugin[] = [
  {
    name: "datagen",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/datagen/datagen.ts")).default,
  },
  {
    name: "elasticsearch-sink",
    kind: "sink",
    aliases: [
      "ElasticsearchSinkConnector",
      "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector",
    ],
    load: async () =>
      (await import("../connectors/elasticsearch-sink/elasticsearch-sink.ts")).default,
  },
  {
    name: "exec-sink",
    kind: "sink",
    aliases: [],
    needs: "exec",
    load: async () => (await import("../connectors/exec-sink/exec-sink.ts")).default,
  },
  {
    name: "exec-source",
    kind: "source",
    aliases: [],
    needs: "exec",
    load: async () => (await import("../connectors/exec-source/exec-source.ts")).default,
  },
  {
    name: "file-sink",
    kind: "sink",
    aliases: ["FileStreamSink", "org.apache.kafka.connect.file.FileStreamSinkConnector"],
    load: async () => (await import("../connectors/file-sink/file-sink.ts")).default,
  },
  {
    name: "file-source",
    kind: "source",
    aliases: ["FileStreamSource", "org.apache.kafka.connect.file.FileStreamSourceConnector"],
    load: async () => (await import("../connectors/file-source/file-source.ts")).default,
  },
  {
    name: "http-sink",
    kind: "sink",
    aliases: [],
    load: async () => (await import("../connectors/http-sink/http-sink.ts")).default,
  },
  {
    name: "http-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/http-source/http-source.ts")).default,
  },
  {
    name: "mirror-checkpoint",
    kind: "source",
    aliases: [
      "MirrorCheckpointConnector",
      "org.apache.kafka.connect.mirror.MirrorCheckpointConnector",
    ],
    load: async () => (await import("../connectors/mirror/mirror-checkpoint.ts")).default,
  },
  {
    name: "mirror-heartbeat",
    kind: "source",
    aliases: [
      "MirrorHeartbeatConnector",
      "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector",
    ],
    load: async () => (await import("../connectors/mirror/mirror-heartbeat.ts")).default,
  },
  {
    name: "mirror-source",
    kind: "source",
    aliases: [
      "MirrorSourceConnector",
      "org.apache.kafka.connect.mirror.MirrorSourceConnector",
    ],
    load: async () => (await import("../connectors/mirror/mirror-source.ts")).default,
  },
  {
    name: "mqtt-sink",
    kind: "sink",
    aliases: [],
    load: async () => (await import("../connectors/mqtt/mqtt-sink.ts")).default,
  },
  {
    name: "mqtt-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/mqtt/mqtt-source.ts")).default,
  },
  {
    name: "postgres-cdc-source",
    kind: "source",
    aliases: [],
    load: async () =>
      (await import("../connectors/postgres-cdc-source/postgres-cdc-source.ts")).default,
  },
  {
    name: "redis-sink",
    kind: "sink",
    aliases: [],
    load: async () => (await import("../connectors/redis/redis-sink.ts")).default,
  },
  {
    name: "redis-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/redis/redis-source.ts")).default,
  },
  {
    name: "s3-sink",
    kind: "sink",
    aliases: [],
    load: async () => (await import("../connectors/s3-sink/s3-sink.ts")).default,
  },
  {
    name: "s3-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/s3-source/s3-source.ts")).default,
  },
  {
    name: "sql-sink",
    kind: "sink",
    aliases: [],
    load: async () => (await import("../connectors/sql/sql-sink.ts")).default,
  },
  {
    name: "sql-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/sql/sql-source.ts")).default,
  },
  {
    name: "stdin",
    kind: "source",
    aliases: [],
    isOfTerminal: true,
    load: async () => (await import("../connectors/stdin/stdin.ts")).default,
  },
  {
    name: "stdout",
    kind: "sink",
    aliases: [],
    isOfTerminal: true,
    load: async () => (await import("../connectors/stdout/stdout.ts")).default,
  },
  {
    name: "syslog-source",
    kind: "source",
    aliases: [],
    load: async () => (await import("../connectors/syslog-source/syslog-source.ts")).default,
  },
];
