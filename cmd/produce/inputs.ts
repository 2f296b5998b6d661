/** Where `produce` reads from, and where it goes on in an input that it has read in part. */
import { fstat as fstatCallback, read as readCallback } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { OperatorError } from "../../core/operator-error.ts";
import type { ReadInto } from "../../core/text/record-blocks.ts";
import { reasonOf } from "../reason.ts";

const read = promisify(readCallback);
const fstat = promisify(fstatCallback);
const STDIN = 0;
const SKIP_BYTES = 256 * 1024;

/** How many of an input's first bytes tell it from others. */
export const HEAD_BYTES_MAX = 4096;

/** Which file it is, as the system numbers them; null for a pipe. */
export interface FileId {
  readonly device: string;
  readonly inode: string;
}

/** Up to where an input was taken, to be recognised and gone on with later. */
export interface InputPosition {
  /** Behind the last record, in bytes. */
  readonly position: number;
  readonly file: FileId | null;
  /** SHA-256, in hex, of the first `headBytes` bytes: those up to the position, 4096 at most. */
  readonly headHash: string;
  readonly headBytes: number;
}

/** An input whose turn has come. */
export interface OpenInput {
  /** In messages; null for standard input. */
  readonly name: string | null;
  /** Where `read` begins. */
  readonly startAt: number;
  readonly read: ReadInto;
  /** What `read` has given up to there. */
  position(position: number): InputPosition;
}

/** Inputs in turn; `from`: where to go on in the first one. */
export type OpenInputs = (from: InputPosition | null) => AsyncIterable<OpenInput>;

/** An input that does not hold what was read from it before. */
export class ReplacedInputError extends Error {
  override readonly name = "ReplacedInputError";
}

/** The first bytes of an input, as they come by. */
export class Head {
  readonly #bytes = Buffer.alloc(HEAD_BYTES_MAX);
  #filled = 0;

  /** Takes what it lacks of bytes that stand at `position` of the input. */
  take(bytes: Uint8Array, position: number): void {
    if (position > this.#filled || this.#filled === HEAD_BYTES_MAX) return;
    const more = bytes.subarray(this.#filled - position, HEAD_BYTES_MAX - position);
    this.#bytes.set(more, this.#filled);
    this.#filled += more.length;
  }

  /** The position with the fingerprint of what comes before it. */
  at(position: number, file: FileId | null): InputPosition {
    const headBytes = Math.min(position, HEAD_BYTES_MAX);
    const hash = new Bun.CryptoHasher("sha256").update(this.#bytes.subarray(0, headBytes));
    return { position, file, headBytes, headHash: hash.digest("hex") };
  }
}

/** Standard input and files one after the other, each opened when its turn comes. */
export function inputsOf(names: readonly string[]): OpenInputs {
  return async function* (from) {
    for (const name of names) {
      const input = name === "-" ? await standardInput(from) : await fileInput(name, from);
      yield input;
    }
  };
}

/** How many bytes the inputs have together, null if a pipe is among them. */
export async function totalBytes(names: readonly string[]): Promise<number | null> {
  let total = 0;
  for (const name of names) {
    const stats = name === "-" ? await fstat(STDIN) : await statOf(name);
    if (stats === null || !stats.isFile()) return null;
    total += stats.size;
  }
  return total;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch {
    // Whoever reads it says why.
    return null;
  }
}

async function standardInput(from: InputPosition | null): Promise<OpenInput> {
  const stats = await fstat(STDIN, { bigint: true });
  const file = stats.isFile() ? idOf(stats) : null;
  const take: ReadInto = async (into, at) =>
    (await read(STDIN, into, at, into.length - at, null)).bytesRead;
  if (from !== null) requireSameFile(from, file);
  const head = new Head();
  await skip(take, head, from);
  return openInput(null, from?.position ?? 0, head, file, take);
}

/** A file from its start or from where it was left. Throws `OperatorError`, `ReplacedInputError`. */
export async function fileInput(path: string, from: InputPosition | null): Promise<OpenInput> {
  const file = await openFile(path);
  try {
    const stats = await file.stat({ bigint: true });
    // A named pipe, or one of the shell's `<(…)`, has no positions.
    const id = stats.isFile() ? idOf(stats) : null;
    const startAt = from?.position ?? 0;
    let position = id === null ? null : startAt;
    const take: ReadInto = async (into, at) => {
      const { bytesRead } = await file.read(into, at, into.length - at, position);
      if (position !== null) position += bytesRead;
      if (bytesRead === 0) await file.close();
      return bytesRead;
    };
    const head = new Head();
    if (from !== null) {
      requireSameFile(from, id);
      if (id === null) await skip(take, head, from);
      else await readHead(file, head, from);
    }
    return openInput(path, startAt, head, id, take);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens a file for reading. Throws `OperatorError`. */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(name: string, error: unknown): OperatorError {
  const why = reasonOf(error);
  return new OperatorError(`cannot read ${name}`, why, "", 1);
}

export async function fileId(file: FileHandle): Promise<FileId> {
  return idOf(await file.stat({ bigint: true }));
}

export function idOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): FileId {
  return { device: String(dev), inode: String(ino) };
}

export function isSameFile(a: FileId | null, b: FileId | null): boolean {
  return a?.device === b?.device && a?.inode === b?.inode;
}

/** An input that keeps its first bytes in mind. */
export function openInput(
  name: string | null,
  startAt: number,
  head: Head,
  file: FileId | null,
  take: ReadInto,
): OpenInput {
  let position = startAt;
  return {
    name,
    startAt,
    read: async (into, at) => {
      const count = await take(into, at).catch((error: unknown) => {
        throw unreadable(name ?? "standard input", error);
      });
      head.take(into.subarray(at, at + count), position);
      position += count;
      return count;
    },
    position: (behind) => head.at(behind, file),
  };
}

function requireSameFile(from: InputPosition, file: FileId | null): void {
  if (isSameFile(from.file, file)) return;
  throw new ReplacedInputError(
    file === null || from.file === null ? "a file and a pipe are not the same" : "another file",
  );
}

/** Reads the first bytes of a file again. Throws `ReplacedInputError` if they are others. */
export async function readHead(file: FileHandle, head: Head, from: InputPosition): Promise<void> {
  const bytes = Buffer.alloc(HEAD_BYTES_MAX);
  const { bytesRead } = await file.read(bytes, 0, from.headBytes, 0);
  head.take(bytes.subarray(0, bytesRead), 0);
  requireHead(from, head, bytesRead);
  const { size } = await file.stat();
  if (size < from.position) throw new ReplacedInputError(`it has only ${size} bytes`);
}

function requireHead(from: InputPosition, head: Head, bytesRead: number): void {
  if (bytesRead < from.headBytes) throw new ReplacedInputError(`it has only ${bytesRead} bytes`);
  if (head.at(from.position, null).headHash !== from.headHash) {
    throw new ReplacedInputError("it begins differently");
  }
}

/** Goes over what was read before, as a pipe cannot be entered in its midst. */
async function skip(take: ReadInto, head: Head, from: InputPosition | null): Promise<void> {
  if (from === null) return;
  const buffer = Buffer.alloc(SKIP_BYTES);
  let position = 0;
  while (position < from.position) {
    const room = buffer.subarray(0, Math.min(SKIP_BYTES, from.position - position));
    const count = await take(room, 0);
    if (count === 0) throw new ReplacedInputError(`it has only ${position} bytes`);
    head.take(room.subarray(0, count), position);
    position += count;
  }
  requireHead(from, head, position);
}
