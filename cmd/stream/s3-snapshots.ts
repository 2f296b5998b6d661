/**
 * Snapshots in a bucket of any S3-compatible store, through the runtime's own client, which has the place
 * and its keys from the environment (AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN). Objects are put from a file of this machine: the client sends large ones in parts,
 * and none is there before all of it is.
 */
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SnapshotStore, StoredObject } from "../../stream/stores/snapshots/snapshot-store.ts";

export interface S3SnapshotsOptions {
  readonly bucket: string;
  /** Ends in "/", or is empty. */
  readonly prefix: string;
  /** Where a file is, on its way; made when it is needed. */
  readonly staging: string;
}

/** See the head of the file. */
export class S3Snapshots implements SnapshotStore {
  readonly place: string;
  readonly #prefix: string;
  readonly #staging: string;

  constructor(
    { bucket, prefix, staging }: S3SnapshotsOptions,
    private readonly client = new Bun.S3Client({ bucket }),
  ) {
    this.place = `s3://${bucket}/${prefix}`;
    this.#prefix = prefix;
    this.#staging = staging;
  }

  async put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    await mkdir(this.#staging, { recursive: true });
    const path = join(this.#staging, crypto.randomUUID());
    try {
      const file = await open(path, "wx");
      try {
        for await (const piece of pieces) await file.writeFile(piece);
      } finally {
        await file.close();
      }
      await this.client.write(this.#prefix + name, Bun.file(path));
    } finally {
      await rm(path, { force: true });
    }
  }

  async *get(name: string): AsyncGenerator<Uint8Array> {
    const reader = this.client.file(this.#prefix + name).stream().getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } finally {
      await reader.cancel();
    }
  }

  async list(folder: string): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    const prefix = this.#prefix + folder;
    let startAfter: string | undefined;
    for (;;) {
      const page = await this.client.list({
        prefix,
        ...(startAfter !== undefined && { startAfter }),
      });
      const objects = page.contents ?? [];
      for (const { key, size, lastModified } of objects) {
        const name = key.slice(this.#prefix.length);
        const modifiedMs = Date.parse(String(lastModified ?? 0));
        found.push({ name, sizeBytes: Number(size ?? 0), modifiedMs });
      }
      startAfter = objects.at(-1)?.key;
      if (page.isTruncated !== true || startAfter === undefined) return found;
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await this.client.delete(this.#prefix + name);
    } catch (error) {
      // Some stores tell that it was not there.
      if (!(error instanceof Error && "code" in error && error.code === "NoSuchKey")) throw error;
    }
  }
}
