/**
 * Removes what is left of changelogs that an application does not have any more: of stores that were
 * renamed or dropped. A member of the topology before may still be at work, so they go only when nothing has
 * been put there for so long that no store would begin with it.
 */
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";
import { isRecordName } from "./snapshot-record.ts";

const LEFT_MS = 7 * 86_400_000;
/** Changelog, partition, object: other files that somebody has put there stay. */
const OBJECT = /^([^/]+-changelog)\/\d+\/([^/]+)$/;
const OWN_OBJECT = /^[0-9a-f]{64}(\.[0-9a-f-]{36}\.new)?$/;

/** See the head of the file. Gives the changelogs whose snapshots are gone now. */
export async function pruneSnapshots(
  store: SnapshotStore,
  isKnown: (changelog: string) => boolean,
  nowMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const left = new Map<string, StoredObject[]>();
  for (const object of await store.list("")) {
    const changelog = changelogOf(object.name);
    if (changelog === null || isKnown(changelog)) continue;
    left.set(changelog, [...left.get(changelog) ?? [], object]);
  }
  const pruned: string[] = [];
  for (const [changelog, objects] of left) {
    if (objects.some(({ modifiedMs }) => nowMs - modifiedMs < LEFT_MS)) continue;
    // Records first: one that is there has its files.
    const [records, files] = [objects.filter(isRecord), objects.filter((each) => !isRecord(each))];
    for (const { name } of [...records, ...files]) {
      signal.throwIfAborted();
      await store.remove(name);
    }
    pruned.push(changelog);
  }
  return pruned;
}

/** Null: it is none of ours. */
function changelogOf(name: string): string | null {
  const [, changelog, object] = OBJECT.exec(name) ?? [];
  if (changelog === undefined || object === undefined) return null;
  return OWN_OBJECT.test(object) || isRecordName(object.replace(/\.[0-9a-f-]{36}\.new$/, ""))
    ? changelog
    : null;
}

function isRecord({ name }: StoredObject): boolean {
  return isRecordName(name.slice(name.lastIndexOf("/") + 1));
}
