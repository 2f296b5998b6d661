/** Groups that do not get on, and the record at which each stands. */
import { sleep } from "../../core/io.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { forEachBatch } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { Admin, GroupDescription } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { formatEnvelope } from "../../core/text/envelope.ts";
import { count } from "../output.ts";
import { lagOf, readEndOffsets } from "../../client/admin/group-lag.ts";
import { readPositions } from "../../client/admin/positions.ts";
import type { Position } from "../../client/admin/positions.ts";
import { progressOnTerminal } from "../terminal.ts";
import { readTopic } from "../topic/copy/source.ts";
import type { Finding } from "./finding.ts";

/** So much of a record is shown. */
const RECORD_CHARACTERS_MAX = 500;

interface Seen {
  readonly group: GroupDescription;
  readonly positions: readonly Position[];
}

/**
 * Watches groups for a while: one with members that commits nothing new although there are records
 * is blocked, or just slow with one of them.
 */
export async function checkGroups(
  admin: Admin,
  names: readonly string[],
  options: AdminOptions & { readonly watch: number },
  signal: AbortSignal,
): Promise<Finding[]> {
  const before: Seen[] = [];
  for (const name of names) {
    const group = await orGone(() => admin.groups.describe(name));
    if (group === null) continue;
    before.push({ group, positions: await readPositions(admin, name, group.type) });
  }
  const behind = await laggards(admin, before);
  if (behind.length === 0) return [];
  const show = progressOnTerminal(false);
  show?.(`watching ${count(behind.length, "group")} for ${options.watch} s`);
  try {
    await sleep(clientIo.clock, options.watch * 1000, signal);
  } finally {
    show?.("");
  }
  const findings: Finding[] = [];
  for (const { group, lagging } of behind) {
    const now = await readPositions(admin, group.groupId, group.type);
    const moved = (position: Position) =>
      now.some(({ topic, partition, offset }) =>
        topic === position.topic && partition === position.partition && offset !== position.offset
      );
    for (const position of lagging.filter((each) => !moved(each.position))) {
      findings.push(await diagnose(group, position, options, signal));
    }
  }
  return findings;
}

interface Lagging {
  readonly position: Position;
  readonly lag: number;
}

async function laggards(
  admin: Admin,
  all: readonly Seen[],
): Promise<{ group: GroupDescription; lagging: Lagging[] }[]> {
  const ends = await readEndOffsets(admin, all.flatMap(({ positions }) => positions));
  return all.flatMap(({ group, positions }) => {
    const lagging = positions.flatMap((position) => {
      const lag = lagOf(position, group.type, ends) ?? 0;
      return lag > 0 && position.offset !== null ? [{ position, lag }] : [];
    });
    return lagging.length > 0 ? [{ group, lagging }] : [];
  });
}

async function diagnose(
  group: GroupDescription,
  { position, lag }: Lagging,
  options: AdminOptions & { readonly watch: number },
  signal: AbortSignal,
): Promise<Finding> {
  const { topic, partition } = position;
  const offset = position.offset ?? 0;
  const place = { check: "groups", subject: `group ${group.groupId} ${topic}:${partition}` };
  const where = `${topic}:${partition}, ${count(lag, "record")} behind`;
  if (group.members.length === 0) {
    return {
      ...place,
      level: "warning",
      what: `group "${group.groupId}" has no members and stands at offset ${offset} of ${where}`,
      fix: `start its members, or delete it: kstream group delete ${group.groupId}`,
    };
  }
  const record = await recordAt(topic, partition, offset, options, signal);
  const next = `kstream group seek ${group.groupId} --topic ${topic}:${partition} --to ` +
    `${offset + 1} --execute`;
  return {
    ...place,
    level: "problem",
    what: `group "${group.groupId}" has committed nothing for ${options.watch} s at offset ` +
      `${offset} of ${where}, with ${count(group.members.length, "member")}`,
    fix: `see what its members log about this record; to skip it, stop them and run: ${next}`,
    ...(record === null ? {} : { record }),
  };
}

async function recordAt(
  topic: string,
  partition: number,
  offset: number,
  options: AdminOptions,
  signal: AbortSignal,
): Promise<string | null> {
  const range = { partition, startOffset: offset, endOffset: offset + 1 };
  let found: string | null = null;
  for await (const chunk of readTopic(topic, [range], options, signal)) {
    for (const run of chunk.batches) {
      forEachBatch(run, (at) => {
        const cursor = new RecordCursor(run, at, bunCodecs);
        while (found === null && cursor.next()) {
          if (cursor.offset < offset) continue;
          found = formatEnvelope({
            ...cursor.record(),
            topic,
            partition,
            offset: BigInt(cursor.offset),
            timestampMs: cursor.timestamp,
          });
        }
      });
    }
    if (found !== null) break;
  }
  return found === null ? null : cut(found);
}

function cut(text: string): string {
  return text.length > RECORD_CHARACTERS_MAX ? `${text.slice(0, RECORD_CHARACTERS_MAX)}…` : text;
}

async function orGone<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof KafkaError && error.codeName === "GROUP_ID_NOT_FOUND") return null;
    throw error;
  }
}
