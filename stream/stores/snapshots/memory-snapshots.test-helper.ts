/** Snapshots in memory, at a place that can be slow, full, or silent. */
import type { Clock } from "../../../core/io.ts";
import { sleep } from "../../../core/io.ts";
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";

/** See the head of the file. */
export class MemorySnapshots implements SnapshotStore {
  readonly place = "memory";
  readonly objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  /** Of each piece. */
  delayMs = 0;
  /** What is put by these names fails. */
  refuses: (name: string) => boolean = () => false;
  /** Nothing is answered any more. */
  isSilent = false;
  putBytes = 0;

  constructor(private readonly clock: Clock) {}

  async put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const all: Uint8Array[] = [];
    for await (const piece of pieces) {
      await this.#wait();
      all.push(Uint8Array.from(piece));
    }
    await this.#wait();
    if (this.refuses(name)) throw new Error(`ENOSPC: ${name}`);
    const bytes = Buffer.concat(all);
    this.putBytes += bytes.length;
    this.objects.set(name, { bytes, modifiedMs: this.clock.wallMs() });
  }

  async *get(name: string): AsyncGenerator<Uint8Array> {
    await this.#wait();
    const object = this.objects.get(name);
    if (object === undefined) throw Object.assign(new Error(`ENOENT: ${name}`), { code: "ENOENT" });
    for (let at = 0; at < object.bytes.length; at += 1000) {
      await this.#wait();
      yield object.bytes.subarray(at, at + 1000);
    }
  }

  async list(folder: string): Promise<StoredObject[]> {
    await this.#wait();
    return [...this.objects].filter(([name]) => name.startsWith(folder)).map(
      ([name, { bytes, modifiedMs }]) => ({ name, sizeBytes: bytes.length, modifiedMs }),
    );
  }

  async remove(name: string): Promise<void> {
    await this.#wait();
    this.objects.delete(name);
  }

  async #wait(): Promise<void> {
    if (this.isSilent) await new Promise(() => {});
    if (this.delayMs > 0) await sleep(this.clock, this.delayMs);
  }
}
