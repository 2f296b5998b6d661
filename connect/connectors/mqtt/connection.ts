/**
 * A connection to an MQTT broker, 3.1.1 or 5. It is never mended: who finds it broken opens another
 * one.
 *
 * Packets are read and written by `mqtt-packet`, the codec of MQTT.js. MQTT.js itself handles one
 * message after the other, so a PUBACK that waits until a record is safe would hold up all others.
 */
import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { generate, parser } from "mqtt-packet";
import type { IConnackPacket, IPublishPacket, Packet, QoS } from "mqtt-packet";
import { tlsFields, tlsFiles, tlsProblems } from "../../formats/index.ts";
import { choice, int, list, RetriableError, secret, string } from "../../index.ts";
import type { ConfigOf, TaskContext } from "../../index.ts";
import { MqttRefusal, refusalFrom } from "./reasons.ts";

export const mqttFields = {
  "mqtt.server.uri": list().default(["mqtt://127.0.0.1:1883"]).importance("HIGH").check(allUris)
    .doc(
      "Where the broker is, mqtt://HOST:PORT, or mqtts:// for TLS. Of several the next one is asked where " +
        "one cannot be reached.",
    ).example("mqtts://broker.example.com:8883"),
  "mqtt.version": choice("5", "3.1.1").default("5").doc(
    "The protocol that is spoken. What follows from 5 alone is said with each setting.",
  ),
  "mqtt.username": string().optional().doc("The user that the broker knows."),
  "mqtt.password": secret().optional().doc("The password of mqtt.username."),
  "mqtt.client.id": string().default("kstream-{connector}-{task}").check(clientIdCheck).doc(
    "The name of the session at the broker. {connector} and {task} stand for those of the connector. " +
      "Whoever connects with the same name drives the other one out.",
  ),
  "mqtt.connect.timeout.seconds": int({ min: 1 }).default(30).doc(
    "How long a connection, or an answer of the broker, may take.",
  ),
  "mqtt.keepalive.interval.seconds": int({ min: 1, max: 65_535 }).default(30).doc(
    "How long it may be silent before the broker is asked whether it is there.",
  ),
  "message.bytes.max": int({ min: 128, max: 268_435_455 }).default(16 * 1024 * 1024).doc(
    "The largest message that is taken or sent.",
  ),
  ...tlsFields,
};

export type MqttConfig = ConfigOf<typeof mqttFields>;

const PLAIN = new Set(["mqtt:", "tcp:"]);
const SECURE = new Set(["mqtts:", "ssl:", "tls:"]);
const PORTS = { plain: 1883, secure: 8883 };

function allUris(uris: readonly string[]): string | null {
  const isUri = (text: string) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname } = new URL(text);
    return hostname !== "" && (PLAIN.has(protocol) || SECURE.has(protocol));
  };
  return uris.length > 0 && uris.every(isUri)
    ? null
    : "must be mqtt://HOST:PORT or mqtts://HOST:PORT";
}

function clientIdCheck(text: string): string | null {
  const rest = text.replaceAll(/\{(?:connector|task)\}/g, "");
  return /[{}]/.test(rest) ? "may have {connector} and {task}, and no other braces" : null;
}

/** What is wrong with the fields together. */
export function mqttProblems(config: MqttConfig) {
  const problems = tlsProblems(config);
  if (config["mqtt.server.uri"].some((uri) => uri.includes("@"))) {
    const message =
      '"mqtt.server.uri" must not hold user and password: mqtt.username and mqtt.password do';
    problems.push({ field: "mqtt.server.uri", message });
  }
  return problems;
}

/** What a session is begun with. */
export interface SessionOptions {
  readonly clientId: string;
  /** Whether what the broker remembers of the session is thrown away. */
  readonly clean: boolean;
  /** How long the broker remembers it once the connection ends (5). */
  readonly expirySeconds: number;
  /** How many messages the broker may send without acknowledgement (5). */
  readonly receiveMaximum: number;
}

export type Message = Omit<IPublishPacket, "cmd" | "length">;
type World = Pick<TaskContext<unknown>, "clock" | "signal">;
/** A number of a packet that the broker has to answer, and who waits for that. */
type Waiting = PromiseWithResolvers<Packet>;

const PACKET_IDS = 65_535;
const CLOSE_MS = 5000;

/** See the head of the file. */
export class MqttConnection {
  readonly server: string;
  readonly #socket: Socket;
  readonly #protocol: { readonly protocolVersion: 4 | 5 };
  readonly #timeoutMs: number;
  readonly #over = new AbortController();
  readonly #waiting = new Map<number, Waiting>();
  readonly #connack = Promise.withResolvers<IConnackPacket>();
  #lastId = 0;
  #hear: ((message: Message) => void) | null = null;
  /** What a session brings may come with the answer that it is there, before anybody listens. */
  #early: Message[] = [];
  #isPaused = false;
  /** Monotonic, of the last bytes that came. */
  #heardMs = 0;
  #failure: Error | null = null;

  private constructor(
    readonly config: MqttConfig,
    readonly world: World,
    url: URL,
  ) {
    const isSecure = SECURE.has(url.protocol);
    const port = url.port === "" ? PORTS[isSecure ? "secure" : "plain"] : Number(url.port);
    const host = url.hostname.replaceAll(/^\[|\]$/g, "");
    this.server = `${url.hostname}:${port}`;
    this.#timeoutMs = config["mqtt.connect.timeout.seconds"] * 1000;
    this.#protocol = { protocolVersion: config["mqtt.version"] === "5" ? 5 : 4 };
    this.#connack.promise.catch(() => {});
    this.#socket = isSecure
      ? connectTls({
        host,
        port,
        ...(isIP(host) > 0 ? {} : { servername: host }),
        ...tlsFiles(config),
      })
      : connectTcp({ host, port, noDelay: true });
    this.#attach();
  }

  /** `attempt`: how often it was tried. Throws `RetriableError` and `MqttRefusal`. */
  static async open(
    config: MqttConfig,
    session: SessionOptions,
    world: World,
    attempt = 0,
  ): Promise<{ readonly connection: MqttConnection; readonly connack: IConnackPacket }> {
    const uris = config["mqtt.server.uri"];
    const connection = new MqttConnection(config, world, new URL(uris[attempt % uris.length]!));
    try {
      const connack = await connection.#begin(session);
      return { connection, connack };
    } catch (error) {
      connection.#fail(error as Error);
      throw error;
    }
  }

  /** Aborts when the connection has ended; `failure` says why. */
  get ended(): AbortSignal {
    return this.#over.signal;
  }

  get failure(): Error {
    return this.#failure ?? new RetriableError(`the connection to ${this.server} has ended`);
  }

  get isFive(): boolean {
    return this.#protocol.protocolVersion === 5;
  }

  /** Has `hear` called with each message in its order, who has to acknowledge those that want it. */
  listen(hear: (message: Message) => void): void {
    this.#hear = hear;
    for (const message of this.#early.splice(0)) hear(message);
  }

  /** Throws `MqttRefusal` where the broker does not want that somebody hears of one of the topics. */
  async subscribe(topics: readonly string[], qos: QoS): Promise<void> {
    for (const topic of topics) {
      const packet = await this.#asked((messageId) => ({
        cmd: "subscribe",
        messageId,
        // Retained messages come with a subscription that is new, not with each connection (5).
        subscriptions: [{ topic, qos, ...(this.isFive ? { nl: false, rap: true, rh: 1 } : {}) }],
      }));
      const granted = packet.cmd === "suback" ? packet.granted[0] : undefined;
      if (typeof granted === "number" && granted < 0x80) continue;
      throw refusalFrom(this.server, `it allows no subscription to "${topic}"`, Number(granted));
    }
  }

  /** Resolves once the broker has the message, of QoS 0 once it is sent. Throws `MqttRefusal`. */
  async publish(message: Omit<Message, "messageId">): Promise<void> {
    if (message.qos === 0) return await this.#sent({ cmd: "publish", ...message });
    const answer = await this.#asked((messageId) => ({ cmd: "publish", messageId, ...message }));
    const code = "reasonCode" in answer ? answer.reasonCode ?? 0 : 0;
    if (code < 0x80) return;
    throw refusalFrom(this.server, `it takes no message to "${message.topic}"`, code);
  }

  /** Tells the broker that a message is safe: it forgets it. */
  acknowledge({ qos, messageId }: Message): void {
    if (qos === 0 || messageId === undefined || this.#over.signal.aborted) return;
    this.#write({ cmd: qos === 1 ? "puback" : "pubrec", messageId, reasonCode: 0 });
  }

  /** Takes nothing more from the broker until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#heardMs = this.world.clock.monotonicMs();
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Ends in good order: what the broker remembers of the session stays. */
  close(): void {
    if (this.#over.signal.aborted) return;
    const socket = this.#socket;
    socket.end(this.#encoded({ cmd: "disconnect", reasonCode: 0 }), () => {
      socket.destroy();
    });
    // Where even that cannot be sent.
    socket.setTimeout(CLOSE_MS, () => void socket.destroy());
    this.#fail(new RetriableError(`the connection to ${this.server} was closed`), false);
  }

  async #begin(session: SessionOptions): Promise<IConnackPacket> {
    const password = this.config["mqtt.password"];
    const username = this.config["mqtt.username"];
    const opened = this.#within(this.#connack.promise);
    this.#write({
      cmd: "connect",
      protocolId: "MQTT",
      ...this.#protocol,
      clientId: session.clientId,
      clean: session.clean,
      keepalive: this.config["mqtt.keepalive.interval.seconds"],
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password: Buffer.from(password) }),
      ...(this.isFive
        ? {
          properties: {
            sessionExpiryInterval: session.expirySeconds,
            receiveMaximum: session.receiveMaximum,
            maximumPacketSize: this.config["message.bytes.max"],
          },
        }
        : {}),
    });
    const connack = await opened;
    const code = connack.reasonCode ?? connack.returnCode ?? 0;
    if (code !== 0) throw refusalFrom(this.server, "it lets nobody in so", code);
    void this.#keepAlive(connack.properties?.serverKeepAlive);
    return connack;
  }

  #attach(): void {
    const parse = parser(this.#protocol);
    parse.on("packet", (packet) => this.#took(packet));
    parse.on("error", (error: unknown) => {
      this.#fail(new RetriableError(`${this.server} sends what is no MQTT: ${messageOf(error)}`));
    });
    const max = this.config["message.bytes.max"];
    this.#socket.on("data", (bytes) => {
      this.#heardMs = this.world.clock.monotonicMs();
      try {
        if (parse.parse(Buffer.from(bytes)) <= max) return;
      } catch (error) {
        return void parse.emit("error", error);
      }
      this.#fail(new MqttRefusal(`${this.server} sends more than message.bytes.max (${max})`));
    });
    const end = (why: string) =>
      this.#fail(new RetriableError(`the connection to the MQTT broker at ${this.server} ${why}`));
    this.#socket.on("error", (error) => end(`failed: ${error.message}`));
    this.#socket.on("close", () => end("was closed by it"));
    const stop = () => this.close();
    this.world.signal.addEventListener("abort", stop, { once: true });
    const { signal } = this.#over;
    signal.addEventListener("abort", () => this.world.signal.removeEventListener("abort", stop));
  }

  #took(packet: Packet): void {
    switch (packet.cmd) {
      case "connack":
        return this.#connack.resolve(packet);
      case "publish":
        if (this.#hear === null) return void this.#early.push(packet);
        return this.#hear(packet);
      case "pubrel":
        return this.#write({ cmd: "pubcomp", messageId: packet.messageId!, reasonCode: 0 });
      case "pubrec":
        if ((packet.reasonCode ?? 0) >= 0x80) return this.#answer(packet);
        return this.#write({ cmd: "pubrel", messageId: packet.messageId!, reasonCode: 0 });
      case "puback":
      case "pubcomp":
      case "suback":
        return this.#answer(packet);
      case "disconnect": {
        const why = "it ends the connection";
        const refusal = refusalFrom(this.server, why, packet.reasonCode ?? 0);
        // A connection that was good once may be so again.
        return this.#fail(new RetriableError(refusal.message));
      }
      default:
    }
  }

  #answer(packet: Packet): void {
    const waiting = this.#waiting.get(packet.messageId ?? 0);
    this.#waiting.delete(packet.messageId ?? 0);
    waiting?.resolve(packet);
  }

  async #asked(make: (messageId: number) => Packet): Promise<Packet> {
    if (this.#failure !== null) throw this.#failure;
    do this.#lastId = this.#lastId % PACKET_IDS + 1; while (this.#waiting.has(this.#lastId));
    const packet = this.#encoded(make(this.#lastId));
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.set(this.#lastId, waiting);
    this.#socket.write(packet);
    return await this.#within(waiting.promise);
  }

  async #sent(packet: Packet): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const gone = Promise.withResolvers<void>();
    this.#socket.write(this.#encoded(packet), () => gone.resolve());
    await this.#within(gone.promise);
    if (this.#failure !== null) throw this.#failure;
  }

  #write(packet: Packet): void {
    if (!this.#over.signal.aborted) this.#socket.write(this.#encoded(packet));
  }

  /** Throws `MqttRefusal`: the codec says of what it cannot write nothing but that. */
  #encoded(packet: Packet): Buffer {
    const bytes = generate(packet, this.#protocol);
    if (bytes.length > 0) return bytes;
    throw new MqttRefusal(`what is to be sent cannot be in a packet of MQTT (${packet.cmd})`);
  }

  /** Throws why the connection ended, or that it takes too long, which ends it. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const done = new AbortController();
    const late = this.world.clock.sleep(
      this.#timeoutMs,
      AbortSignal.any([done.signal, this.#over.signal]),
    );
    const first = await Promise.race([answer.then((value) => ({ value })), late]);
    done.abort();
    if (first !== undefined) return first.value;
    this.#fail(new RetriableError(`the MQTT broker at ${this.server} does not answer in time`));
    throw this.failure;
  }

  /** Asks whether the broker is there where nothing was heard of it, until the end. */
  async #keepAlive(serverSeconds: number | undefined): Promise<void> {
    const { clock } = this.world;
    const seconds = serverSeconds ?? this.config["mqtt.keepalive.interval.seconds"];
    if (seconds === 0) return;
    // Within the interval, by which the broker wants to have heard of us.
    const stepMs = seconds * 1000 / 2;
    while (!this.#over.signal.aborted) {
      await clock.sleep(stepMs, this.#over.signal);
      this.#write({ cmd: "pingreq" });
      const silentMs = clock.monotonicMs() - this.#heardMs;
      if (this.#isPaused || silentMs <= stepMs * 4) continue;
      this.#fail(new RetriableError(`nothing is heard of the MQTT broker at ${this.server}`));
    }
  }

  /** The end, whatever it comes from; the first reason counts. */
  #fail(error: Error, isAbrupt = true): void {
    if (this.#over.signal.aborted) return;
    this.#failure = error;
    this.#over.abort();
    this.#connack.reject(error);
    this.#waiting.clear();
    if (isAbrupt) this.#socket.destroy();
    else this.#socket.resume();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For `probe`, which knows no clock: its own signal counts. */
export function probeWorld(signal: AbortSignal): World {
  const sleep = (_ms: number, over: AbortSignal) =>
    new Promise<void>((resolve) => {
      over.addEventListener("abort", () => resolve(), { once: true });
    });
  return { signal, clock: { wallMs: () => 0, monotonicMs: () => 0, sleep } };
}
