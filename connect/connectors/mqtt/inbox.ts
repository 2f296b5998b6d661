/**
 * Messages between the broker and the topic: a queue with a bound, behind which the connection is
 * not read, and those on their way, which are acknowledged once their records are in the topic.
 */
import { parseJson, topicName } from "../../formats/index.ts";
import type { ConnectHeader, ConnectValue, SourceContext, SourceRecord } from "../../index.ts";
import type { Message, MqttConnection } from "./connection.ts";
import type { SourceConfig } from "./mqtt-source.ts";
import { filterMatches } from "./topics.ts";

type Context = SourceContext<SourceConfig>;
type Made = Pick<
  SourceRecord,
  "topic" | "key" | "value" | "headers" | "timestampMs" | "sourcePartition" | "sourceOffset"
>;

export interface Names {
  topicOf(topic: string): string;
  keyOf(topic: string): string;
}

/** What a message takes up besides its payload and topic, about. */
const OVERHEAD_BYTES = 200;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Inbox {
  #queue: { readonly message: Message; readonly atMs: number }[] = [];
  #queuedBytes = 0;
  #isFull = false;
  #wake = Promise.withResolvers<void>();
  /** Given on and not yet safe, in their order; `number` counts all messages. */
  #unsafe: { readonly number: number; readonly message: Message }[] = [];
  #number = 0;
  #skipped = 0;
  #hasStrayed = false;
  readonly #partition: { readonly client: string };

  constructor(
    readonly connection: MqttConnection,
    clientId: string,
    readonly context: Context,
    readonly names: Names,
  ) {
    this.#partition = { client: clientId };
    connection.listen((message) => this.#add(message));
    connection.ended.addEventListener("abort", () => this.#wake.resolve(), { once: true });
    context.onAcknowledged((positions) => {
      for (const { offset } of positions) this.#safe(Number(offset["number"]));
    });
    context.gauge("messages-skipped-total", 0);
  }

  /** Records of what has come; none: look again. Throws why the connection has ended. */
  async next(): Promise<Made[]> {
    if (this.#queue.length === 0) {
      // What has come is given on before it is said that no more will.
      if (this.connection.ended.aborted) throw this.connection.failure;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
      if (this.connection.ended.aborted) this.#wake.resolve();
    }
    const taken = this.#queue.splice(0, this.context.config["batch.size"]);
    if (this.#queue.length > 0) this.#wake.resolve();
    for (const { message } of taken) this.#queuedBytes -= sizeOf(message);
    if (this.#isFull && this.#queuedBytes < this.context.config["queue.bytes.max"] / 2) {
      this.#isFull = false;
      this.connection.resume();
    }
    return taken.flatMap(({ message, atMs }) => this.#record(message, atMs) ?? []);
  }

  #add(message: Message): void {
    if (!this.context.config["mqtt.topics"].some((one) => filterMatches(one, message.topic))) {
      return this.#strayed(message);
    }
    this.#queue.push({ message, atMs: this.context.clock.wallMs() });
    this.#queuedBytes += sizeOf(message);
    if (!this.#isFull && this.#queuedBytes >= this.context.config["queue.bytes.max"]) {
      this.#isFull = true;
      this.connection.pause();
    }
    this.#wake.resolve();
  }

  /** The session remembers subscriptions of an earlier config. */
  #strayed(message: Message): void {
    this.connection.acknowledge(message);
    if (this.#hasStrayed) return;
    this.#hasStrayed = true;
    this.context.log.warn(
      "the broker sends what mqtt.topics does not name, it is left out: the session has subscriptions " +
        "of before, and another mqtt.client.id has none",
      { topic: message.topic },
    );
  }

  /** Null: it is left out. Throws where a message is bad and that is to fail. */
  #record(message: Message, atMs: number): Made | null {
    const value = this.#valueOf(message);
    if (value === undefined) {
      // In turn with those before it, which are not safe yet.
      if (this.#unsafe.length === 0) this.connection.acknowledge(message);
      else this.#unsafe.push({ number: this.#number, message });
      return null;
    }
    const number = ++this.#number;
    if (message.qos > 0) this.#unsafe.push({ number, message });
    const key = this.names.keyOf(message.topic);
    return {
      topic: topicName(this.names.topicOf(message.topic)),
      key: key === "" ? null : key,
      value,
      headers: headersOf(message),
      timestampMs: atMs,
      sourcePartition: this.#partition,
      sourceOffset: { number },
    };
  }

  /** Undefined: it is left out. */
  #valueOf({ payload, topic }: Message): ConnectValue | undefined {
    const { format, "bad.messages": bad } = this.context.config;
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    if (bytes.length === 0) return null;
    if (format === "bytes") return Uint8Array.from(bytes);
    let text: string | null = null;
    try {
      text = utf8.decode(bytes);
      return format === "text" ? text : parseJson(text);
    } catch (error) {
      if (bad === "keep") return text ?? Uint8Array.from(bytes);
      const why = text === null ? "is no UTF-8" : (error as Error).message;
      if (bad === "fail") {
        throw new Error(`a message of "${topic}" ${why} (bad.messages=keep takes it as it is)`);
      }
      this.context.gauge("messages-skipped-total", ++this.#skipped);
      this.context.log.warn("a message is left out", { topic, why });
      return undefined;
    }
  }

  #safe(number: number): void {
    let count = 0;
    for (; count < this.#unsafe.length && this.#unsafe[count]!.number <= number; count++) {
      this.connection.acknowledge(this.#unsafe[count]!.message);
    }
    if (count > 0) this.#unsafe = this.#unsafe.slice(count);
  }
}

function sizeOf({ payload, topic }: Message): number {
  return payload.length + topic.length + OVERHEAD_BYTES;
}

function headersOf({ topic, qos, retain, dup, properties }: Message): ConnectHeader[] {
  const headers: ConnectHeader[] = [
    { name: "mqtt.topic", schema: null, value: topic },
    { name: "mqtt.qos", schema: null, value: qos },
    { name: "mqtt.retained", schema: null, value: retain },
    { name: "mqtt.duplicate", schema: null, value: dup },
  ];
  const add = (name: string, value: ConnectValue) => headers.push({ name, schema: null, value });
  const { contentType, responseTopic, correlationData, userProperties } = properties ?? {};
  if (contentType !== undefined) add("mqtt.content.type", contentType);
  if (responseTopic !== undefined) add("mqtt.response.topic", responseTopic);
  if (correlationData !== undefined) add("mqtt.correlation.data", Uint8Array.from(correlationData));
  for (const [name, values] of Object.entries(userProperties ?? {})) {
    for (const value of [values].flat()) add(name, value);
  }
  return headers;
}
