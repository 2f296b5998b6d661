/** Which file it is, over renames and restarts: its inode, and how it begins. */
import type { FileHandle } from "node:fs/promises";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { SourceMap } from "../../index.ts";

const HEAD_BYTES_MAX = 256;
/** Names of files that rotation has packed. */
const PACKED = /\.(?:gz|bz2|xz|zst|lz4)$/;

/** `LENGTH:SHA-256` of the first bytes of a file, so many at most as were read of it. */
export async function headOf(file: FileHandle, position: number): Promise<string> {
  const bytes = Buffer.alloc(Math.min(position, HEAD_BYTES_MAX));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  const hash = new Bun.CryptoHasher("sha256").update(bytes.subarray(0, bytesRead)).digest("hex");
  return `${bytesRead}:${hash}`;
}

/** Whether more bytes will not change it. */
export function isWholeHead(head: string): boolean {
  return head.startsWith(`${HEAD_BYTES_MAX}:`);
}

/** Where a file was left. An offset of Kafka's FileStreamSource has only the position. */
export interface Left {
  readonly position: number;
  readonly inode: string | null;
  readonly head: string | null;
}

/** Null for what is no offset. */
export function leftAt(offset: SourceMap | null): Left | null {
  const position = offset?.["position"];
  if (typeof position !== "number" || !Number.isSafeInteger(position) || position < 0) return null;
  const text = (value: SourceMap[string] | undefined) => typeof value === "string" ? value : null;
  return { position, inode: text(offset?.["inode"]), head: text(offset?.["head"]) };
}

/** Whether a file holds what was read of the one that was left. */
export async function continues(file: FileHandle, left: Left): Promise<boolean> {
  const { size } = await file.stat();
  if (size < left.position) return false;
  if (left.head === null) return true;
  const length = Number(left.head.slice(0, left.head.indexOf(":")));
  return await headOf(file, length) === left.head;
}

export interface Sibling {
  readonly path: string;
  readonly inode: string;
  readonly modifiedMs: number;
}

/** Files beside `path` whose names begin with its own, as rotation leaves them; the oldest first. */
export async function siblings(path: string): Promise<Sibling[]> {
  const own = basename(path);
  const found: Sibling[] = [];
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    if (name === own || !name.startsWith(own) || PACKED.test(name)) continue;
    const sibling = join(dirname(path), name);
    const stats = await stat(sibling).catch(() => null);
    if (stats?.isFile() !== true) continue;
    found.push({ path: sibling, inode: String(stats.ino), modifiedMs: stats.mtimeMs });
  }
  return found.sort((a, b) => a.modifiedMs - b.modifiedMs);
}
