/** A store on disk as those who run tasks have it, and as what it is kept. */
import type { Disk } from "../../core/io.ts";
import type { DurableEngine } from "./durable-engine.ts";
import { DurableSegments } from "./durable-segments.ts";
import type { StoreEngine } from "./engine.ts";
import { CorruptStoreError } from "./log-structured/run-format.ts";
import { removeStore } from "./log-structured/store-files.ts";
import { engineOf, segmentMsOf } from "./open-store.ts";
import type { IncomingStore } from "./snapshots/incoming-store.ts";
import type { PinnedStore } from "./snapshots/pinned-store.ts";
import type { StoreSpec } from "./store-spec.ts";
import { readText, replaceText } from "./text-file.ts";

/** A store that is open. */
export interface OpenState {
  /** What `openStoreOf` takes. Another one after `wipe`. */
  readonly engine: StoreEngine;
  /** See `DurableEngine`, of this and the others. */
  readonly changelogOffset: bigint | null;
  /** The id of the topic that the offset is of; null: nobody has told. */
  readonly changelogId: string | null;
  readonly uncommittedBytes: number;
  readonly sizeBytes: number;
  /** What it has, and what is put from now on, is of the topic with that id. Kept at once. */
  setChangelogId(topicId: string): void;
  commit(changelogOffset: bigint | null): void;
  wipe(): void;
  readonly copies: StoreCopies;
}

/** What can be done with the files of a store that is open. */
export interface StoreCopies {
  /** As what it is kept: the files of two of one kind mean the same. */
  readonly kind: string;
  /** See `DurableEngine`. */
  pin(): PinnedStore | null;
  /** Room for the files of another one. */
  incoming(): Promise<IncomingStore>;
  /**
   * Has the store be what was brought in, which is at this offset; its engine is another one then. Throws
   * `CorruptStoreError` where it is not; the store has nothing then. Throws `DiskError`, after which the
   * store is closed.
   */
  adopt(incoming: IncomingStore, changelogOffset: bigint): void;
}

/** Its folder, and how its engine is opened. */
export interface StateFiles {
  readonly disk: Disk;
  readonly data: string;
  /** Has the id of the changelog. */
  readonly changelogFile: string;
  /** With nothing, where it is damaged. */
  open(onClose: () => void): DurableEngine;
  /** Throws `CorruptStoreError`. */
  reopen(onClose: () => void): DurableEngine;
  /** Nobody has it open any more. */
  closed(): void;
  incoming(): Promise<IncomingStore>;
}

/** A store over its engine on disk, in segments where it is of windows. */
export class State implements OpenState {
  #durable: DurableEngine;
  #segments: DurableSegments | null = null;
  #engine: StoreEngine;
  #changelogId: string | null;
  /** Its engine is closed for another one. */
  #isSwapping = false;
  readonly copies: StoreCopies;

  constructor(private readonly spec: StoreSpec, private readonly files: StateFiles) {
    this.#durable = files.open(this.#onClose);
    this.#engine = this.#openSound();
    this.#changelogId = readText(files.disk, files.changelogFile) || null;
    this.copies = {
      kind: kindOf(spec),
      pin: () => this.#durable.pin(),
      incoming: () => files.incoming(),
      adopt: (incoming, changelogOffset) => this.#adopt(incoming, changelogOffset),
    };
  }

  get engine(): StoreEngine {
    return this.#engine;
  }

  get changelogOffset(): bigint | null {
    return this.#durable.changelogOffset;
  }

  get changelogId(): string | null {
    return this.#changelogId;
  }

  setChangelogId(topicId: string): void {
    if (topicId === this.#changelogId) return;
    replaceText(this.files.disk, this.files.changelogFile, topicId);
    this.#changelogId = topicId;
  }

  get uncommittedBytes(): number {
    return this.#durable.uncommittedBytes;
  }

  get sizeBytes(): number {
    return this.#durable.sizeBytes;
  }

  commit(changelogOffset: bigint | null): void {
    this.#segments?.beforeCommit();
    this.#durable.commit(changelogOffset);
  }

  wipe(): void {
    this.#durable.wipe();
    this.#engine = this.#open();
  }

  readonly #onClose = () => {
    if (!this.#isSwapping) this.files.closed();
  };

  #adopt(incoming: IncomingStore, changelogOffset: bigint): void {
    const { disk, data } = this.files;
    this.#isSwapping = true;
    try {
      this.#durable.close();
      removeStore(disk, data);
      disk.rename(incoming.dir, data);
      this.#durable = this.#reopened();
    } catch (error) {
      this.files.closed();
      throw error;
    } finally {
      this.#isSwapping = false;
    }
    const { changelogOffset: found } = this.#durable;
    if (found !== changelogOffset) this.#durable.wipe();
    this.#engine = this.#open();
    if (found === changelogOffset) return;
    throw new CorruptStoreError(data, `it is at offset ${found}, not ${changelogOffset}`);
  }

  /** With nothing where it cannot be read: then it is at another offset. */
  #reopened(): DurableEngine {
    const { disk, data } = this.files;
    try {
      return this.files.reopen(this.#onClose);
    } catch (error) {
      if (!(error instanceof CorruptStoreError)) throw error;
      removeStore(disk, data);
      return this.files.reopen(this.#onClose);
    }
  }

  /** Damage may be found only as segments are looked for; it is marked then. */
  #openSound(): StoreEngine {
    try {
      return this.#open();
    } catch (error) {
      this.#isSwapping = true;
      this.#durable.close();
      this.#isSwapping = false;
      if (!(error instanceof CorruptStoreError)) throw error;
      this.#durable = this.files.open(this.#onClose);
      return this.#open();
    }
  }

  #open(): StoreEngine {
    const durable = this.#durable;
    this.#segments = null;
    return engineOf(this.spec, () => durable, () => this.#segments = new DurableSegments(durable));
  }
}

/** Comes before the length of segments, in milliseconds. */
export const SEGMENTS = " in segments of ";

/** As what a store is kept. */
export function kindOf(spec: StoreSpec): string {
  const isTimestamped = "isTimestamped" in spec && spec.isTimestamped;
  const isTimeOrdered = "isTimeOrdered" in spec && spec.isTimeOrdered;
  const order = isTimeOrdered ? " in the order of time" : "";
  const segmentMs = segmentMsOf(spec);
  const segments = segmentMs === null ? "" : `${SEGMENTS}${segmentMs}`;
  return `${spec.kind}${isTimestamped ? " with timestamps" : ""}${order}${segments}`;
}
