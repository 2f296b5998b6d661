/** Messages of syslog, from whoever sends them. */
import { readFileSync } from "node:fs";
import { tlsFields, tlsFiles, tlsProblems } from "../../formats/index.ts";
import {
  choice,
  defineSource,
  FieldError,
  int,
  list,
  RetriableError,
  string,
} from "../../index.ts";
import type { ConfigOf, PartialSourceRecord, SourceContext } from "../../index.ts";
import type { Frame } from "./framing.ts";
import { listenTcp, listenUdp } from "./listeners.ts";
import type { Listener, Transport } from "./listeners.ts";
import { parseSyslog, syslogSchema, syslogValue } from "./message.ts";

const TRANSPORTS: readonly Transport[] = ["UDP", "TCP", "TLS"];

const fields = {
  topic: string().importance("HIGH").doc("The topic that records are written to."),
  "syslog.listener": list().default(["UDP", "TCP"]).importance("HIGH").check(allTransports).doc(
    "What is listened to: UDP (RFC 5426), TCP (RFC 6587, with lengths or line feeds), TLS (RFC 5425), or " +
      "several of them.",
  ),
  "syslog.listen.address": string().default("127.0.0.1").importance("HIGH").doc(
    "The address that is listened on; 0.0.0.0 for all of IPv4, :: for all.",
  ),
  "syslog.port": int({ min: 0, max: 65_535 }).default(5514).importance("HIGH").doc(
    "The port of UDP and TCP. That of syslog, 514, needs a right that most users have not.",
  ),
  "syslog.tls.port": int({ min: 0, max: 65_535 }).default(6514).group("TLS").doc(
    "The port of TLS. With tls.ca.file, only who shows a certificate of these authorities is let in.",
  ),
  ...tlsFields,
  "message.bytes.max": int({ min: 480, max: 1024 * 1024 }).default(65_536).doc(
    "Longer messages are cut, and say so in truncated.",
  ),
  "connections.max": int({ min: 1, max: 100_000 }).default(1000).doc(
    "How many connections of TCP, and of TLS, there may be; further ones are closed at once.",
  ),
  "syslog.queue.max.size": int({ min: 1 }).default(50_000).doc(
    "How many messages wait here to be written, at most. Behind that connections are not read, and " +
      "datagrams are dropped.",
  ),
  "queue.bytes.max": int({ min: 1 }).default(32 * 1024 * 1024).doc(
    "How many bytes of messages wait here at most, about.",
  ),
  "batch.size": int({ min: 1, max: 100_000 }).default(2000).doc(
    "How many messages are written at a time, at most.",
  ),
  key: choice("host", "app", "remote", "none").default("host").doc(
    "What becomes the key of records: the host or the program that a message names, or the address that " +
      "it came from, which the host's place is taken by where it is not named.",
  ),
  "syslog.utc.offset": string().default("+00:00").check(offsetCheck).doc(
    "The offset from UTC of times that do not say theirs (RFC 3164), as +02:00.",
  ),
};

type Config = ConfigOf<typeof fields>;
type Context = SourceContext<Config>;

function allTransports(names: readonly string[]): string | null {
  const isOne = (name: string) => TRANSPORTS.some((one) => one === name.toUpperCase());
  return names.length > 0 && names.every(isOne) ? null : "must be of UDP, TCP and TLS";
}

function offsetMinutes(text: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):([0-5]\d)$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 14) throw new FieldError("must be as +02:00");
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function offsetCheck(text: string): string | null {
  try {
    offsetMinutes(text);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

const transportsOf = (config: Config): Transport[] => {
  const names = config["syslog.listener"].map((name) => name.toUpperCase());
  return TRANSPORTS.filter((one) => names.includes(one));
};

export default defineSource({
  name: "syslog-source",
  version: "1.0.0",
  doc:
    "A server for syslog: takes messages by UDP, TCP and TLS, in the formats of RFC 5424 and 3164; what is " +
    "neither is taken as text. At most once, since syslog knows no acknowledgements: what was received " +
    "and is not in the topic is lost when the worker ends. While the topic cannot be written to, who " +
    "sends by TCP is held up; datagrams that come when the queue is full are dropped and counted " +
    "(messages-dropped-total; those that the kernel has dropped: datagrams-dropped-by-kernel).",
  delivery: "at-most-once",
  example: { topic: "logs", "syslog.listen.address": "0.0.0.0" },
  config: fields,
  check(config) {
    const isBare = transportsOf(config).includes("TLS") && config["tls.certificate.file"] === null;
    const message = '"tls.certificate.file" and "tls.key.file" are needed for TLS';
    return [
      ...tlsProblems(config),
      ...isBare ? [{ field: "tls.certificate.file", message }] : [],
    ];
  },
  async *read(context) {
    const server = new SyslogServer(context);
    try {
      await server.open();
      while (!context.signal.aborted) {
        const records = await server.next();
        if (records.length > 0) yield records;
      }
    } finally {
      await server.close();
    }
  },
});

interface Queued {
  readonly frame: Frame;
  readonly remote: string;
  readonly atMs: number;
}

/** How often it is told what was dropped. */
const TELL_MS = 1000;

class SyslogServer {
  readonly #context: Context;
  readonly #offsetMinutes: number;
  readonly #listeners: Listener[] = [];
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #isFull = false;
  #wake = Promise.withResolvers<void>();
  #dropped = 0;
  #refused = 0;
  #toldMs = -Infinity;
  #told = { dropped: 0, refused: 0 };

  constructor(context: Context) {
    this.#context = context;
    this.#offsetMinutes = offsetMinutes(context.config["syslog.utc.offset"]);
    context.signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
  }

  /** Throws `RetriableError`: whoever has the port may go. */
  async open(): Promise<void> {
    const { config, log } = this.#context;
    for (const transport of transportsOf(config)) {
      const isTls = transport === "TLS";
      const options = {
        host: config["syslog.listen.address"],
        port: isTls ? config["syslog.tls.port"] : config["syslog.port"],
        bytesMax: config["message.bytes.max"],
        connectionsMax: config["connections.max"],
        hearer: {
          took: (frame: Frame, remote: string) => this.#took(frame, remote, transport),
          refusedConnection: () => void this.#refused++,
        },
      };
      try {
        const listener = transport === "UDP"
          ? await listenUdp(options)
          : await listenTcp(options, isTls ? tlsFiles(config) : null);
        this.#listeners.push(listener);
        log.info("listening", { transport, address: options.host, port: listener.port });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new RetriableError(`cannot listen on ${options.host}:${options.port}: ${why}`);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  /** What has come, or nothing after a while. */
  async next(): Promise<PartialSourceRecord[]> {
    const { config, clock, signal } = this.#context;
    this.#tell();
    if (this.#queue.length === 0) {
      const enough = new AbortController();
      const late = clock.sleep(TELL_MS, AbortSignal.any([enough.signal, signal]));
      await Promise.race([this.#wake.promise, late]);
      enough.abort();
      this.#wake = Promise.withResolvers<void>();
    }
    const taken = this.#queue.splice(0, config["batch.size"]);
    for (const { frame } of taken) this.#queuedBytes -= frame.bytes.length;
    if (this.#isFull && this.#load() < 0.5) {
      this.#isFull = false;
      for (const listener of this.#listeners) listener.resume();
    }
    return taken.map((queued) => this.#record(queued));
  }

  /** 1 and more: it is full. */
  #load(): number {
    const { "syslog.queue.max.size": countMax, "queue.bytes.max": bytesMax } = this.#context.config;
    return Math.max(this.#queue.length / countMax, this.#queuedBytes / bytesMax);
  }

  #took(frame: Frame, remote: string, transport: Transport): void {
    // What a connection has sent already is taken, which is little; a datagram waits for nobody.
    if (this.#isFull && transport === "UDP") {
      this.#dropped++;
      return;
    }
    this.#queue.push({ frame, remote, atMs: this.#context.clock.wallMs() });
    this.#queuedBytes += frame.bytes.length;
    if (!this.#isFull && this.#load() >= 1) {
      this.#isFull = true;
      for (const listener of this.#listeners) listener.pause();
    }
    this.#wake.resolve();
  }

  #record({ frame, remote, atMs }: Queued): PartialSourceRecord {
    const { topic, key } = this.#context.config;
    const message = parseSyslog(frame.bytes, { nowMs: atMs, offsetMinutes: this.#offsetMinutes });
    const keys = { host: message.host ?? remote, app: message.app, remote, none: null };
    return {
      topic,
      key: keys[key],
      value: syslogValue(message, remote, frame.isCut),
      valueSchema: syslogSchema,
      // What a sender says of the time may be anything, and topics go by it.
      timestampMs: atMs,
    };
  }

  #tell(): void {
    const { clock, log, gauge } = this.#context;
    if (clock.monotonicMs() - this.#toldMs < TELL_MS) return;
    this.#toldMs = clock.monotonicMs();
    gauge("messages-dropped-total", this.#dropped);
    gauge("connections-refused-total", this.#refused);
    for (const { transport, port } of this.#listeners) {
      const dropped = transport === "UDP" ? droppedByKernel(port) : null;
      if (dropped !== null) gauge("datagrams-dropped-by-kernel", dropped);
    }
    const dropped = this.#dropped - this.#told.dropped;
    const refused = this.#refused - this.#told.refused;
    this.#told = { dropped: this.#dropped, refused: this.#refused };
    if (dropped > 0) log.warn("datagrams were dropped, since the queue is full", { dropped });
    if (refused > 0) log.warn("connections were closed, since there are too many", { refused });
  }
}

/** Of the sockets of a port, as Linux counts; null elsewhere. */
function droppedByKernel(port: number): number | null {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  let dropped: number | null = null;
  for (const file of ["/proc/net/udp", "/proc/net/udp6"]) {
    try {
      for (const line of readFileSync(file, "latin1").split("\n")) {
        const columns = line.trim().split(/\s+/);
        if (columns[1]?.endsWith(`:${hexPort}`) !== true) continue;
        dropped = (dropped ?? 0) + Number(columns.at(-1));
      }
    } catch {
      // Not on this system.
    }
  }
  return dropped;
}
