/**
 * `consume -f json | produce -f json` loses nothing: random records are written by the client
 * library, go through the built binary into another topic and are compared byte by byte.
 */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import type { ProducerRecord } from "../../client/producer.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import { clientIo } from "../../cmd/client.ts";
import { withBroker } from "../harness/broker-process.ts";
import { ok, shell } from "./cli.ts";

const PARTITIONS = 3;
const RECORDS = 1500;

/** Chance that is the same each time. */
class Draw {
  constructor(private state: number) {}

  below(bound: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * bound);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  text(): string {
    const some = [
      "",
      "null",
      '"',
      "\\",
      "\n",
      "\r\n",
      "\0",
      "\u2028",
      "\ufeff",
      "é",
      "𝄞",
      "\ufffd",
    ];
    return Array.from({ length: this.below(6) }, () => this.of([...some, "a", "key", "7"])).join(
      "",
    );
  }

  payload(): Uint8Array | null {
    switch (this.below(6)) {
      case 0:
        return null;
      case 1:
        return new Uint8Array(0);
      case 2:
        return Uint8Array.from({ length: this.below(40) }, () => this.below(256));
      case 3:
        return Buffer.from(this.text() + "\ud800", "utf8").subarray(0, -1);
      case 4:
        return this.below(40) === 0 ? new Uint8Array(300_000).fill(this.below(256)) : null;
      default:
        return Buffer.from(this.text());
    }
  }

  headers(): RecordHeader[] {
    const names = ["", "a", "a", "trace", "\ufeffmark", "ключ", "x".repeat(300)];
    return Array.from({ length: this.below(4) }, () => [this.of(names), this.payload()] as const);
  }

  record(topic: string): ProducerRecord {
    const now = Date.now();
    return {
      topic,
      partition: this.below(PARTITIONS),
      key: this.payload(),
      value: this.payload(),
      headers: this.headers(),
      timestampMs: this.of([-1, 0, 1, 1_700_000_000_000, now, now + 1000, 2 ** 40]),
    };
  }
}

/** All records of a topic by partition, as comparable values. */
async function contents(bootstrap: string, topic: string): Promise<unknown[]> {
  const consumer = new Consumer(clientIo, { brokers: [address(bootstrap)] });
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  await consumer.assign(partitions.map((partition) => ({ topic, partition, offset: 0n })));
  const found: { readonly partition: number; readonly offset: bigint; record: unknown }[] = [];
  for await (const { partition, offset, timestampMs, key, value, headers } of consumer.records()) {
    const bytes = (some: Uint8Array | null) => some === null ? null : some.toHex();
    const record = [timestampMs, bytes(key), bytes(value), headers.map(([n, v]) => [n, bytes(v)])];
    found.push({ partition, offset, record });
    if (found.length === RECORDS) break;
  }
  await consumer.close();
  return found.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

function address(bootstrap: string) {
  const [host = "", port = ""] = bootstrap.split(":");
  return { host, port: Number(port) };
}

test("consume -f json | produce -f json gives the same records, byte for byte", async () => {
  await withBroker(async ({ bootstrap }) => {
    const brokers = [address(bootstrap)];
    const admin = new Admin(clientIo, { brokers });
    // Times are as drawn, also far in the future.
    const configs = { "message.timestamp.after.max.ms": "9223372036854775807" };
    await admin.createTopics(
      ["original", "copy", "again"].map((name) => ({ name, partitions: PARTITIONS, configs })),
    );
    admin.close();
    const producer = new Producer(clientIo, { brokers });
    const draw = new Draw(Number(process.env["SEED"] ?? 20261122));
    const sent = Array.from({ length: RECORDS }, () => producer.send(draw.record("original")));
    await Promise.all(sent);
    await producer.close();

    const at = { brokers: bootstrap };
    const piped = await shell(
      "kstream consume original -e -f json | kstream produce copy -f json",
      at,
    );
    expect([piped.exitCode, piped.stderr])
      .toEqual([0, `sent ${RECORDS}, acknowledged ${RECORDS}, failed 0\n`]);
    const original = await contents(bootstrap, "original");
    expect(original.length).toBe(RECORDS);
    expect(await contents(bootstrap, "copy")).toEqual(original);

    // What is printed of the copy is what was printed of the original, up to the topic's name.
    const printed = async (topic: string) =>
      (await ok(["consume", topic, "-e", "-f", "json"], at)).split("\n").sort();
    const renamed = (await printed("copy")).map((line) => line.replace('"copy"', '"original"'));
    expect(renamed.sort()).toEqual(await printed("original"));
  });
}, 60_000);
