/** Messages of an MQTT broker. */
import { boolean, choice, defineSource, int, list, string } from "../../index.ts";
import type { ConfigOf, SourceContext } from "../../index.ts";
import { MqttConnection, mqttFields, mqttProblems, probeWorld } from "./connection.ts";
import { Inbox } from "./inbox.ts";
import { LEVEL_PLACEHOLDERS, levelCheck, levelTemplate, refusalOfFilter } from "./topics.ts";
import { clientIdOf, qosOf } from "./session.ts";

const fields = {
  ...mqttFields,
  "mqtt.topics": list().importance("HIGH").check(allFilters).doc(
    "The topics that are subscribed to; + stands for any level, # for all at the end. " +
      "$share/GROUP/TOPIC shares messages with others, and among tasks.",
  ).example("factory/+/temperature,alarms/#"),
  "kafka.topic": string().default("{topic}").importance("HIGH").check(levelCheck).doc(
    `The topic that records are written to: ${LEVEL_PLACEHOLDERS}; levels are joined by dots, and what ` +
      "topics of Kafka cannot have in their names becomes _.",
  ).example("factory.{-1}"),
  key: string().default("{topic}").check(levelCheck).doc(
    `The key of records: ${LEVEL_PLACEHOLDERS}; empty for none.`,
  ),
  "mqtt.qos": choice("0", "1", "2").default("1").importance("HIGH").doc(
    "The quality of service that is asked for: with 0 what comes while the connection is broken is lost.",
  ),
  "mqtt.clean.session.enabled": boolean().default(false).doc(
    "Whether the broker forgets the session with each connection: then what comes meanwhile is lost.",
  ),
  "mqtt.session.expiry.seconds": int({ min: 0 }).default(604_800).doc(
    "How long the broker keeps the session, and what comes for it, while nobody is connected (MQTT 5; " +
      "with 3.1.1 the broker's own settings count).",
  ),
  "mqtt.receive.maximum": int({ min: 1, max: 65_535 }).default(1000).doc(
    "How many messages of QoS 1 and 2 the broker may have under way to here (MQTT 5; brokers may send " +
      "fewer: max_inflight_messages of Mosquitto).",
  ),
  format: choice("json", "text", "bytes").default("json").doc(
    "What a message is: JSON, a text, or bytes. An empty message is a null.",
  ),
  "bad.messages": choice("keep", "skip", "fail").default("keep").doc(
    "What becomes of a message that is not what format says: it is kept as text, or bytes, or left out, " +
      "which the log and messages-skipped-total tell, or the task fails.",
  ),
  "queue.bytes.max": int({ min: 1 }).default(16 * 1024 * 1024).doc(
    "How much waits here to be written, about; behind that nothing is taken from the broker.",
  ),
  "batch.size": int({ min: 1, max: 100_000 }).default(1000).doc(
    "How many messages are written at a time, at most.",
  ),
};

export type SourceConfig = ConfigOf<typeof fields>;

function allFilters(filters: readonly string[]): string | null {
  if (filters.length === 0) return "must name a topic";
  return filters.map(refusalOfFilter).find((refusal) => refusal !== null) ?? null;
}

const isShared = (filter: string) => filter.startsWith("$share/");

export default defineSource({
  name: "mqtt-source",
  version: "1.0.0",
  doc:
    "Reads messages of an MQTT broker, 3.1.1 or 5. At least once with QoS 1 and 2: the broker is told " +
    "that a message has come only once its record is in the topic, and the session stays when the " +
    "connection or the worker is gone, so the broker sends again what was not; QoS 2 may be doubled " +
    "then. QoS 0 is at most once. What the broker itself drops of a session that is away for too long " +
    "(max_queued_messages of Mosquitto) is not known here.",
  example: {
    "mqtt.server.uri": "mqtts://broker.example.com:8883",
    "mqtt.username": "kstream",
    "mqtt.password": "${env:MQTT_PASSWORD}",
    "mqtt.topics": "factory/+/temperature",
  },
  config: fields,
  check: (config) => mqttProblems(config),
  async probe(config, signal) {
    const clientId = `kstream-probe-${process.pid}`;
    const session = { clientId, clean: true, expirySeconds: 0, receiveMaximum: 1 };
    const { connection } = await MqttConnection.open(config, session, probeWorld(signal));
    try {
      await connection.subscribe(config["mqtt.topics"], qosOf(config["mqtt.qos"]));
    } finally {
      connection.close();
    }
  },
  tasks(config, raw, max) {
    // Only shared subscriptions do not bring each message to each task.
    const count = config["mqtt.topics"].every(isShared) ? max : 1;
    return Array.from({ length: count }, () => raw);
  },
  read: (context) => read(context),
});

/** Fails since a connection stood, so that each broker has its turn. */
const attempts = new WeakMap<SourceConfig, number>();

async function* read(context: SourceContext<SourceConfig>) {
  const { config, connector, task, signal } = context;
  const attempt = attempts.get(config) ?? 0;
  attempts.set(config, attempt + 1);
  const session = {
    clientId: clientIdOf(config, connector, task),
    clean: config["mqtt.clean.session.enabled"],
    expirySeconds: config["mqtt.session.expiry.seconds"],
    receiveMaximum: config["mqtt.receive.maximum"],
  };
  const { connection, connack } = await MqttConnection.open(config, session, context, attempt);
  const inbox = new Inbox(connection, session.clientId, context, {
    topicOf: levelTemplate(config["kafka.topic"], "."),
    keyOf: levelTemplate(config.key, "/"),
  });
  try {
    context.log.info("connected", { broker: connection.server, session: connack.sessionPresent });
    await connection.subscribe(config["mqtt.topics"], qosOf(config["mqtt.qos"]));
    attempts.set(config, attempt);
    while (!signal.aborted) {
      const records = await inbox.next();
      if (records.length > 0) yield records;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    connection.close();
  }
}
