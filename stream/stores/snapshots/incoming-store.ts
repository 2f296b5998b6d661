/** The files of a store as they are brought in, in a folder beside the one that counts. */
import { createHash } from "node:crypto";
import type { Disk } from "../../../core/io.ts";
import { SnapshotError, type SnapshotFile } from "./snapshot-record.ts";

/** Of folders in which files are brought in. */
const PREFIX = "incoming-";

/** See the head of the file. */
export class IncomingStore {
  private constructor(private readonly disk: Disk, readonly dir: string) {}

  /** Removes what was left half by others in a store's folder: they have ended, or are to. */
  static async removeLeft(disk: Disk, parent: string): Promise<void> {
    for (const { name } of disk.list(parent)) {
      if (name.startsWith(PREFIX)) await disk.removeTree(`${parent}/${name}`);
    }
  }

  /** `parent` is the store's folder. */
  static async begin(disk: Disk, parent: string, unique: string): Promise<IncomingStore> {
    await IncomingStore.removeLeft(disk, parent);
    const dir = `${parent}/${PREFIX}${unique}`;
    disk.makeDir(dir);
    return new IncomingStore(disk, dir);
  }

  /** Brings a file to stable storage. Throws `SnapshotError` where it is not what it is to be, `DiskError`. */
  async write(
    { name, sizeBytes, digest }: SnapshotFile,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const file = this.disk.open(`${this.dir}/${name}`, "create");
    try {
      const hash = createHash("sha256");
      let position = 0;
      for await (const piece of pieces) {
        if (position + piece.length > sizeBytes) throw damaged(name);
        hash.update(piece);
        file.writeSync(piece, position);
        position += piece.length;
      }
      if (position < sizeBytes || hash.digest("hex") !== digest) throw damaged(name);
      await file.sync();
    } finally {
      file.close();
    }
  }

  /** All are there. */
  async finish(): Promise<void> {
    await this.disk.syncDir(this.dir);
  }

  async discard(): Promise<void> {
    await this.disk.removeTree(this.dir);
  }
}

function damaged(name: string): SnapshotError {
  return new SnapshotError(`file ${name} has other bytes than were put there`);
}
