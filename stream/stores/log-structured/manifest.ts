/** Which runs a store has, and up to which commit they have everything: a line of JSON and its checksum. */
import type { Disk } from "../../../core/io.ts";
import { crc32c } from "../../../core/crc32c.ts";
import { CorruptStoreError } from "./run-format.ts";

/** See the head of the file. */
export interface Manifest {
  /** Commits up to this one are in the runs, later ones in logs. */
  readonly sequence: number;
  /** As decimal text; null: none. */
  readonly changelogOffset: string | null;
  /** In hex. */
  readonly floor: string;
  /** Numbers of files, the newest first. */
  readonly runs: readonly number[];
}

export const EMPTY_MANIFEST: Manifest = {
  sequence: 0,
  changelogOffset: null,
  floor: "",
  runs: [],
};

export const MANIFEST_NAME = "MANIFEST";
const NEW_NAME = "MANIFEST.new";

function crcText(text: string): string {
  return crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}

/** Null: there is none. Throws `CorruptStoreError`. */
export function readManifest(disk: Disk, dir: string): Manifest | null {
  const path = `${dir}/${MANIFEST_NAME}`;
  if (disk.stat(path) === null) return null;
  const file = disk.open(path, "read");
  const bytes = new Uint8Array(file.sizeBytes());
  file.readSync(bytes, 0);
  file.close();
  const [text = "", crc] = new TextDecoder().decode(bytes).split("\n");
  if (crcText(text) !== crc) {
    throw new CorruptStoreError(path, "it has another checksum than was written");
  }
  // What has the checksum is what `writeManifest` wrote.
  return JSON.parse(text) as Manifest;
}

/** Writes it beside the one that counts. */
export function prepareManifest(disk: Disk, dir: string, manifest: Manifest) {
  const path = `${dir}/${NEW_NAME}`;
  disk.remove(path);
  const file = disk.open(path, "create");
  try {
    file.writeSync(manifestBytes(manifest), 0);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The file. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  const text = JSON.stringify(manifest);
  return new TextEncoder().encode(`${text}\n${crcText(text)}\n`);
}

/** From now on the one that was prepared counts. */
export function installManifest(disk: Disk, dir: string): void {
  disk.rename(`${dir}/${NEW_NAME}`, `${dir}/${MANIFEST_NAME}`);
}
