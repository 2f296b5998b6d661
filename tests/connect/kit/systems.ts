/** All kinds of systems that connectors are tried with. */
import type { SystemKind } from "./system.ts";
import { DATAGEN } from "./systems/datagen.ts";
import { ELASTICSEARCH_SINK } from "./systems/elasticsearch.ts";
import { EXEC_SINK } from "./systems/exec.ts";
import {
  FILE_SINK_FOLDER,
  FILE_SINK_FULL_DISK,
  FILE_SINK_ONE,
  FILE_SOURCE_SPOOL,
  FILE_SOURCE_TAIL,
} from "./systems/files.ts";
import { HTTP_SINK, HTTP_SOURCE_POLL, HTTP_SOURCE_WEBHOOK } from "./systems/http.ts";
import { MIRROR_CHECKPOINT, MIRROR_HEARTBEAT } from "./systems/mirror-checks.ts";
import { MIRROR_SOURCE } from "./systems/mirror.ts";
import { MQTT_SINK, MQTT_SOURCE } from "./systems/mqtt.ts";
import { POSTGRES_CDC } from "./systems/postgres-cdc.ts";
import { REDIS_SINK, REDIS_SOURCE } from "./systems/redis.ts";
import { S3_SINK, S3_SOURCE } from "./systems/s3.ts";
import { SQL_SINKS, SQL_SOURCES } from "./systems/sql.ts";
import { SYSLOG_SOURCE } from "./systems/syslog.ts";

export const SYSTEMS: readonly SystemKind[] = [
  FILE_SOURCE_TAIL,
  FILE_SOURCE_SPOOL,
  FILE_SINK_FOLDER,
  FILE_SINK_FULL_DISK,
  FILE_SINK_ONE,
  EXEC_SINK,
  HTTP_SOURCE_POLL,
  HTTP_SOURCE_WEBHOOK,
  HTTP_SINK,
  S3_SOURCE,
  S3_SINK,
  REDIS_SOURCE,
  REDIS_SINK,
  MQTT_SOURCE,
  MQTT_SINK,
  SYSLOG_SOURCE,
  POSTGRES_CDC,
  ...SQL_SOURCES,
  ...SQL_SINKS,
  ELASTICSEARCH_SINK,
  MIRROR_SOURCE,
  MIRROR_CHECKPOINT,
  MIRROR_HEARTBEAT,
  DATAGEN,
];
