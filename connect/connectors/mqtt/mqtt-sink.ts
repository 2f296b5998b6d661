/** Records as messages of an MQTT broker. */
import { jsonText, nameTemplate, templateCheck } from "../../formats/index.ts";
import { boolean, choice, defineSink, int, string } from "../../index.ts";
import type { ConfigOf, ConnectValue, Schema, SinkContext, SinkRecord } from "../../index.ts";
import type { IConnackPacket } from "mqtt-packet";
import { MqttConnection, mqttFields, mqttProblems, probeWorld } from "./connection.ts";
import type { Message } from "./connection.ts";
import { MqttRefusal } from "./reasons.ts";
import { clientIdOf, qosOf } from "./session.ts";
import { isTopic } from "./topics.ts";

const NAMES = ["topic", "path", "key"] as const;

const fields = {
  ...mqttFields,
  "mqtt.topic": string().default("{topic}").importance("HIGH").check(templateCheck(NAMES)).doc(
    "The topic of messages. {topic} and {key} stand for those of the record, {path} for its topic with " +
      "slashes in the place of dots.",
  ).example("devices/{key}/commands"),
  "mqtt.qos": choice("0", "1", "2").default("1").importance("HIGH").doc(
    "The quality of service. With 0 nobody knows whether the broker has a message.",
  ),
  "mqtt.retained.enabled": boolean().default(false).doc(
    "Whether the broker keeps the last message of each topic for those who come later. A tombstone is " +
      "an empty message, which ends that.",
  ),
  "mqtt.headers.enabled": boolean().default(true).doc(
    "Whether headers of records become user properties of messages (MQTT 5).",
  ),
  "mqtt.inflight.max": int({ min: 1, max: 10_000 }).default(100).doc(
    "How many messages are sent before the first is acknowledged, at most; the broker may allow fewer.",
  ),
};

type Config = ConfigOf<typeof fields>;
type Context = SinkContext<Config>;

export default defineSink({
  name: "mqtt-sink",
  version: "1.0.0",
  doc:
    "Publishes records to an MQTT broker, 3.1.1 or 5. At least once with QoS 1 and 2: an offset is " +
    "committed once the broker has acknowledged all messages before it; what was under way when the " +
    "connection broke is published again, so QoS 2 may be doubled as well. QoS 0 is at most once.",
  example: {
    "mqtt.server.uri": "mqtts://broker.example.com:8883",
    "mqtt.username": "kstream",
    "mqtt.password": "${env:MQTT_PASSWORD}",
    "mqtt.topic": "devices/{key}/commands",
  },
  config: fields,
  check: (config) => mqttProblems(config),
  async probe(config, signal) {
    const session = { ...SESSION, clientId: `kstream-probe-${process.pid}` };
    const { connection } = await MqttConnection.open(config, session, probeWorld(signal));
    connection.close();
  },
  open(context) {
    const sink = new MqttSink(context);
    return {
      write: (records) => sink.write(records),
      close: () => Promise.resolve(sink.close()),
    };
  },
});

/** Nothing is subscribed to, so there is nothing to remember. */
const SESSION = { clean: true, expirySeconds: 0, receiveMaximum: 1 };

interface Link {
  readonly connection: MqttConnection;
  readonly connack: IConnackPacket;
}

class MqttSink {
  readonly #topicOf: ReturnType<typeof nameTemplate<(typeof NAMES)[number]>>;
  /** What the broker has, of records that may come again because later ones failed. */
  readonly #done = new WeakSet<SinkRecord>();
  #link: Link | null = null;
  #attempt = 0;

  constructor(readonly context: Context) {
    this.#topicOf = nameTemplate(context.config["mqtt.topic"], NAMES);
  }

  async write(records: readonly SinkRecord[]): Promise<void> {
    const link = await this.#connected();
    const windowMax = Math.min(
      this.context.config["mqtt.inflight.max"],
      link.connack.properties?.receiveMaximum ?? Infinity,
    );
    const underWay = new Set<Promise<void>>();
    let failure: Error | null = null;
    for (const record of records) {
      if (this.#done.has(record)) continue;
      while (underWay.size >= windowMax) await Promise.race(underWay);
      if (failure !== null) break;
      const publishing: Promise<void> = this.#publish(record, link).then(
        () => void this.#done.add(record),
        (error: Error) => void (failure ??= error),
      ).finally(() => void underWay.delete(publishing));
      underWay.add(publishing);
    }
    await Promise.all(underWay);
    if (failure !== null) throw failure;
  }

  close(): void {
    this.#link?.connection.close();
  }

  async #publish(record: SinkRecord, link: Link): Promise<void> {
    try {
      await link.connection.publish(this.#message(record, link));
    } catch (error) {
      if (!(error instanceof MqttRefusal) || link.connection.ended.aborted) throw error;
      await this.context.reject(record, error);
    }
  }

  /** Throws `MqttRefusal`. */
  #message(record: SinkRecord, { connection, connack }: Link): Omit<Message, "messageId"> {
    const { config } = this.context;
    const { topic, key, keySchema, value, valueSchema } = record;
    const name = this.#topicOf({
      topic,
      path: topic.replaceAll(".", "/"),
      key: key === null ? "" : String(payloadOf(key, keySchema)),
    });
    if (!isTopic(name)) {
      throw new MqttRefusal(
        `"${name.slice(0, 100)}" is no name of a topic of MQTT (see mqtt.topic)`,
      );
    }
    const payload = value === null ? Buffer.alloc(0) : payloadOf(value, valueSchema);
    const bytes = Buffer.byteLength(payload) + Buffer.byteLength(name);
    const max = Math.min(
      config["message.bytes.max"],
      connack.properties?.maximumPacketSize ?? Infinity,
    );
    if (bytes > max) {
      throw new MqttRefusal(`a message of ${bytes} bytes is larger than allowed (${max})`);
    }
    const isNamed = connection.isFive && config["mqtt.headers.enabled"] &&
      record.headers.length > 0;
    return {
      topic: name,
      payload,
      qos: qosOf(config["mqtt.qos"]),
      retain: config["mqtt.retained.enabled"],
      dup: false,
      ...(isNamed ? { properties: { userProperties: userProperties(record) } } : {}),
    };
  }

  /** Throws `RetriableError` and `MqttRefusal`. */
  async #connected(): Promise<Link> {
    if (this.#link?.connection.ended.aborted === false) return this.#link;
    const { config, connector, task } = this.context;
    const session = { ...SESSION, clientId: clientIdOf(config, connector, task) };
    const attempt = this.#attempt++;
    this.#link = await MqttConnection.open(config, session, this.context, attempt);
    this.#attempt = attempt;
    return this.#link;
  }
}

/** A text or bytes as they are, anything else as JSON. */
function payloadOf(value: ConnectValue, schema: Schema | null): string | Buffer {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? Buffer.from(value) : jsonText(value, schema);
}

function userProperties({ headers }: SinkRecord): Record<string, string[]> {
  const properties = new Map<string, string[]>();
  for (const { name, value, schema } of headers) {
    const text = value === null ? "" : String(payloadOf(value, schema));
    properties.set(name, [...properties.get(name) ?? [], text]);
  }
  // Own properties, whatever they are called.
  return Object.fromEntries(properties);
}
