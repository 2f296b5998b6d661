/** Offsets of sinks: those that its consumer group has committed, said as KIP-875 says them. */
import type { Admin } from "../../client/admin.ts";
import { ConfigError } from "../config/parse.ts";
import type { ConnectorOffset } from "./worker.ts";

/** All that the group has committed. Throws `KafkaError`. */
export async function readSinkOffsets(admin: Admin, groupId: string): Promise<ConnectorOffset[]> {
  const committed = await admin.groups.listOffsets(groupId);
  return committed.flatMap(({ topic, partition, offset }) =>
    offset === null || offset < 0n ? [] : [{
      partition: { kafka_topic: topic, kafka_partition: partition },
      offset: { kafka_offset: Number(offset) },
    }]
  );
}

/** Sets them; null forgets one, an empty list all. Throws `ConfigError`, `KafkaError`. */
export async function alterSinkOffsets(
  admin: Admin,
  groupId: string,
  offsets: readonly ConnectorOffset[],
): Promise<void> {
  if (offsets.length === 0) {
    const [result] = await admin.groups.delete([groupId]);
    if (result !== undefined && result.error !== null) throw result.error;
    return;
  }
  const parsed = offsets.map(parseSinkOffset);
  const forgotten = parsed.flatMap(({ topic, partition, offset }) =>
    offset === null ? [{ topic, partitions: [partition] }] : []
  );
  const set = parsed.flatMap(({ topic, partition, offset }) =>
    offset === null ? [] : [{ topic, partition, offset }]
  );
  if (set.length > 0) await admin.groups.alterOffsets(groupId, set);
  if (forgotten.length > 0) await admin.groups.deleteOffsets(groupId, forgotten);
}

function parseSinkOffset({ partition, offset }: ConnectorOffset) {
  const topic = partition["kafka_topic"];
  const number = wholeNumber(partition["kafka_partition"]);
  if (typeof topic !== "string" || number === null) {
    throw refusal('the partition of a sink is {"kafka_topic": "…", "kafka_partition": 0}');
  }
  if (offset === null) return { topic, partition: number, offset: null };
  const next = wholeNumber(offset["kafka_offset"]);
  if (next === null) throw refusal('the offset of a sink is {"kafka_offset": 0}');
  return { topic, partition: number, offset: BigInt(next) };
}

/** Connect takes numbers as text, too. */
function wholeNumber(value: string | number | boolean | null | undefined): number | null {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function refusal(message: string): ConfigError {
  return new ConfigError([{ field: "offsets", message }]);
}
