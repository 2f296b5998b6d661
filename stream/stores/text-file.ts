/** Small files of text that say what is beside them. */
import type { Disk } from "../../core/io.ts";

/** Null: there is none. */
export function readText(disk: Disk, path: string): string | null {
  if (disk.stat(path) === null) return null;
  const file = disk.open(path, "read");
  const bytes = new Uint8Array(file.sizeBytes());
  file.readSync(bytes, 0);
  file.close();
  return new TextDecoder().decode(bytes);
}

/** Of a file that is not there yet. */
export function writeText(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, "create");
  if (text !== "") file.writeSync(new TextEncoder().encode(text), 0);
  file.close();
}

/** Has the file say that, or what it said before; but for a power cut, which may leave nothing in it. */
export function replaceText(disk: Disk, path: string, text: string): void {
  disk.remove(`${path}.new`);
  writeText(disk, `${path}.new`, text);
  disk.rename(`${path}.new`, path);
}
