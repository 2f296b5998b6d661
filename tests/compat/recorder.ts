/**
 * Sends the same requests to two brokers and compares what they answer. Left out is what Kafka's own
 * hash maps decide (the order of members and partitions), ids that are random, and words beside a
 * code.
 */
import { Connection } from "../../core/connection.ts";
import { errorName } from "../../core/errors.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { withBroker } from "../harness/broker-process.ts";
import { expectEqual } from "./suite.ts";
import { withApacheKafka } from "./apache-broker.ts";

/** A member id: what the client calls itself and a UUID, in either form. */
const RANDOM_ID = /\w+-[0-9a-f]{8}-[0-9a-f-]{27}|(?<=")(?!A{22})[A-Za-z0-9_-]{22}(?=")/g;

/** What a broker answered, in comparable words. */
export class Recorder {
  readonly lines: string[] = [];
  readonly #ids = new Map<string, string>();

  constructor(readonly one: Connection, readonly two: Connection, readonly three: Connection) {}

  /** Sends a request and records its answer. */
  async ask<A extends Api>(
    what: string,
    api: A,
    request: EncodableRequest<A>,
    maxVersion = api.maxVersion,
    connection = this.one,
  ): Promise<ResponseOf<A>> {
    const response = await connection.request(api, request, { maxVersion });
    this.record(`${what} (${api.name} ${maxVersion})`, response);
    return response;
  }

  /** Calls a random id by a name. */
  name(id: string, name: string): void {
    this.#ids.set(id, name);
  }

  record(what: string, response: unknown): void {
    this.lines.push(`${what}: ${this.#words(response)}`);
  }

  #words(response: unknown): string {
    const text = JSON.stringify(response, (name, value: unknown) => {
      if (name === "errorMessage" || name === "throttleTimeMs") return undefined;
      if (name === "errorCode") return errorName(Number(value));
      if (typeof value === "bigint") return String(value);
      if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
      if (!Array.isArray(value)) return value;
      const keyed = value.map((item: unknown) => ({ item, key: this.#orderOf(item) }));
      keyed.sort((a, b) => a.key === b.key ? 0 : a.key < b.key ? -1 : 1);
      return keyed.map(({ item }) => item);
    });
    return text.replace(RANDOM_ID, (id) => {
      const known = this.#ids.get(id) ?? `member ${this.#ids.size}`;
      this.#ids.set(id, known);
      return known;
    });
  }

  /** Orders partitions by index, members by the names they were given, anything else by its text. */
  #orderOf(item: unknown): string {
    const text = JSON.stringify(
      item,
      (_, value: unknown) => typeof value === "bigint" ? String(value) : value,
    ) ?? "";
    return text.replace(RANDOM_ID, (id) => this.#ids.get(id) ?? "");
  }
}

/** What the broker answered to all that `run` asked. */
export async function recordAnswers(
  bootstrap: string,
  run: (recorder: Recorder) => Promise<void>,
): Promise<string[]> {
  const io = { clock: bunClock, network: bunNetwork };
  const address = { host: "127.0.0.1", port: Number(bootstrap.split(":")[1]) };
  const open = () => Connection.open(io, address, { clientId: "c" });
  const connections = [await open(), await open(), await open()] as const;
  try {
    const recorder = new Recorder(...connections);
    await run(recorder);
    return recorder.lines;
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Fails unless our broker answers as Apache Kafka does. */
export async function expectSameAnswers(
  transcript: (bootstrap: string) => Promise<string[]>,
): Promise<void> {
  let theirs: string[] = [];
  await withApacheKafka(async (bootstrap) => void (theirs = await transcript(bootstrap)));
  await withBroker(async ({ bootstrap }) => {
    const ours = await transcript(bootstrap);
    theirs.forEach((line, index) => expectEqual(ours[index], line, `answer ${index}`));
    expectEqual(ours.length, theirs.length, "answers");
  });
}
