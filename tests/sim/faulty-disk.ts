/**
 * A disk that keeps no more than it has promised. What was written but not synced may be gone after
 * a power cut, whole or sector by sector; names that were made, moved or removed without a sync of
 * their folder may be as before; bits may flip; it may be full, slow, or fail to sync.
 *
 * Each file is an inode with the bytes that the page cache has, the bytes that the device has, and
 * the writes between the two. Names work the same way.
 */
import type { Clock, Disk, DiskEntry, DiskFile, DiskLock, OpenMode } from "../../core/io.ts";
import { DiskError } from "../../core/io.ts";
import type { SimRandom } from "./sim-random.ts";

const SECTOR_BYTES = 512;

/** How a power cut treats what was not synced. */
export type LossMode = "nothing" | "everything" | "prefix" | "sectors";

type Bytes = Uint8Array<ArrayBuffer>;

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

/** A file's bytes. */
export class Inode {
  cache = new Uint8Array(0);
  durable = new Uint8Array(0);
  pending: Change[] = [];
  modifiedMs = 0;
  /** Where what is appended to `cache` and to `durable` may go: each has its own. */
  #cacheRoom: ArrayBuffer | null = null;
  #durableRoom: ArrayBuffer | null = null;

  applyToCache(change: Change): void {
    if (change.kind === "write" && change.position === this.cache.length) {
      this.cache = appended(this.cache, change.bytes, this.#cacheRoom);
      this.#cacheRoom = this.cache.buffer;
    } else this.cache = applyChange(this.cache, change);
  }

  applyToDurable(change: Change): void {
    if (change.kind === "write" && change.position === this.durable.length) {
      this.durable = appended(this.durable, change.bytes, this.#durableRoom);
      this.#durableRoom = this.durable.buffer;
    } else this.durable = applyChange(this.durable, change);
  }
}

/** What a disk held at a moment. */
interface CrashPoint {
  readonly names: Names;
  readonly durableNames: Names;
  readonly pendingNames: NameChange[];
  readonly nodes: readonly (readonly [Inode, Partial<Inode>])[];
}

type Names = Map<string, Inode | "dir">;

type NameChange =
  & { /** Its folder was synced, but which folder that is is not durable. */ isSynced?: boolean }
  & (
    | { readonly kind: "put"; path: string; readonly node: Inode | "dir" }
    | { readonly kind: "rename"; from: string; to: string }
    | { readonly kind: "remove"; path: string }
  );

/** What the disk does beyond working; changed by the simulation as it goes. */
export interface DiskFaults {
  /** Bytes that all files may have together. */
  maxBytes: number;
  /** Chance in percent that a sync fails. */
  failingSyncPercent: number;
  /** Chance in percent that a write fails after some of its bytes. */
  failingWritePercent: number;
  /** Latency of asynchronous calls, from 0 to this. */
  maxLatencyMs: number;
  /** Folders on a device of their own that takes nothing: writes and syncs below them fail. */
  readonly deadPaths: Set<string>;
}

/** See the head of this file. */
export class FaultyDisk implements Disk {
  private names: Names = new Map([["", "dir"], ["/", "dir"]]);
  private durableNames: Names = new Map(this.names);
  private pendingNames: NameChange[] = [];
  #crashPoint: CrashPoint | null = null;
  #writesToCrash = 0;
  private readonly locks = new Set<string>();
  /** A sync has failed since the power came: what the page cache shows is not on the device. */
  hasLostPages = false;
  readonly faults: DiskFaults = {
    maxBytes: Infinity,
    failingSyncPercent: 0,
    failingWritePercent: 0,
    maxLatencyMs: 0,
    deadPaths: new Set(),
  };

  constructor(private readonly clock: Clock, private readonly random: SimRandom) {}

  open(path: string, mode: OpenMode): DiskFile {
    let node = this.names.get(path);
    if (node === "dir") throw refusal("EISDIR", path);
    if (mode === "create") {
      if (node !== undefined) throw refusal("EEXIST", path);
      if (this.names.get(parentOf(path)) !== "dir") throw refusal("ENOENT", path);
      if (this.freeBytes(path) === 0) throw refusal("ENOSPC", path);
      if (this.isDead(path)) throw refusal("EIO", path);
      node = new Inode();
      node.modifiedMs = this.clock.wallMs();
      this.changeNames({ kind: "put", path, node });
    }
    if (node === undefined) throw refusal("ENOENT", path);
    return new FaultyFile(path, node, this, this.clock, this.random);
  }

  makeDir(path: string): void {
    const missing: string[] = [];
    for (let at = path; this.names.get(at) !== "dir"; at = parentOf(at)) missing.unshift(at);
    for (const dir of missing) this.changeNames({ kind: "put", path: dir, node: "dir" });
  }

  list(path: string): DiskEntry[] {
    if (this.names.get(path) !== "dir") throw refusal("ENOENT", path);
    const entries: DiskEntry[] = [];
    for (const [name, node] of this.names) {
      if (name === path || parentOf(name) !== path) continue;
      entries.push({ name: name.slice(path.length + 1), isDirectory: node === "dir" });
    }
    return entries;
  }

  stat(path: string): { sizeBytes: number; modifiedMs: number; isDirectory: boolean } | null {
    const node = this.names.get(path);
    if (node === undefined) return null;
    if (node === "dir") return { sizeBytes: 0, modifiedMs: 0, isDirectory: true };
    return { sizeBytes: node.cache.length, modifiedMs: node.modifiedMs, isDirectory: false };
  }

  rename(from: string, to: string): void {
    if (!this.names.has(from)) throw refusal("ENOENT", from);
    this.changeNames({ kind: "rename", from, to });
  }

  remove(path: string): void {
    if (this.names.has(path)) this.changeNames({ kind: "remove", path });
  }

  async removeTree(path: string): Promise<void> {
    await this.wait();
    if (this.names.has(path)) this.changeNames({ kind: "remove", path });
  }

  async syncDir(path: string): Promise<void> {
    await this.wait();
    if (this.isDead(path)) throw refusal("EIO", path);
    const kept: NameChange[] = [];
    for (const change of this.pendingNames) {
      if (touches(change, path)) change.isSynced = true;
      if (change.isSynced !== true || kept.some((earlier) => isReplaced(change, earlier))) {
        kept.push(change);
        continue;
      }
      applyName(this.durableNames, change);
      if (change.kind === "rename") { for (const earlier of kept) movePaths(earlier, change); }
    }
    this.pendingNames = kept;
  }

  /** Nothing becomes durable by a hint. */
  async flushHint(_path: string): Promise<void> {
    await this.wait();
  }

  freeBytes(_path: string): number {
    const { maxBytes } = this.faults;
    // To add up all files takes long, and is asked at each write.
    return maxBytes === Infinity ? Infinity : Math.max(0, maxBytes - this.usedBytes());
  }

  lock(path: string): DiskLock | null {
    if (this.locks.has(path)) return null;
    if (!this.names.has(path)) this.open(path, "create");
    this.locks.add(path);
    return { release: () => void this.locks.delete(path) };
  }

  /** Whether the file is on a device that has failed. */
  isDead(path: string): boolean {
    const { deadPaths } = this.faults;
    return deadPaths.size > 0 && [...deadPaths].some((dead) => path.startsWith(`${dead}/`));
  }

  /** Another device stands where this folder was, with nothing on it. */
  replaceDevice(path: string): void {
    const isThere = (name: string) => name === path || name.startsWith(`${path}/`);
    for (const names of [this.names, this.durableNames]) {
      for (const name of [...names.keys()]) if (isThere(name)) names.delete(name);
    }
    this.pendingNames = this.pendingNames.filter((change) =>
      !(change.kind === "rename" ? isThere(change.from) : isThere(change.path))
    );
    this.faults.deadPaths.delete(path);
  }

  /** The process ends; the machine goes on. */
  killProcess(): void {
    this.#returnToCrashPoint();
    this.locks.clear();
  }

  /** What the disk holds during that write, counted from 1, is what the next crash finds. */
  crashAtWrite(number: number): void {
    this.#crashPoint = null;
    this.#writesToCrash = number;
  }

  /** Whether the write of `crashAtWrite` has come: what is written now will never have been. */
  get isAtCrashPoint(): boolean {
    return this.#crashPoint !== null;
  }

  /** No crash is wanted at a write any more. */
  forgetCrashPoint(): void {
    this.#crashPoint = null;
    this.#writesToCrash = 0;
  }

  /** To be called before each write: `tear` does a part of it, after which the crash may come. */
  beforeWrite(node: Inode, tear: () => void): void {
    if (this.#writesToCrash === 0 || --this.#writesToCrash > 0) return;
    const { cache, pending } = node;
    node.pending = [...pending];
    tear();
    this.#crashPoint = {
      names: new Map(this.names),
      durableNames: new Map(this.durableNames),
      pendingNames: this.pendingNames.map((change) => ({ ...change })),
      nodes: [...this.allNodes()].map((each) => {
        const { cache, durable, pending, modifiedMs } = each;
        return [each, { cache, durable, pending: [...pending], modifiedMs }];
      }),
    };
    Object.assign(node, { cache, pending });
  }

  #returnToCrashPoint(): void {
    const point = this.#crashPoint;
    this.forgetCrashPoint();
    if (point === null) return;
    this.names = point.names;
    this.durableNames = point.durableNames;
    this.pendingNames = point.pendingNames;
    for (const [node, content] of point.nodes) Object.assign(node, content);
  }

  /** Files that have a name, or may have one after a power cut. */
  private allNodes(): Set<Inode> {
    const nodes = new Set<Inode>();
    const add = (node: Inode | "dir") => void (node === "dir" || nodes.add(node));
    for (const node of this.names.values()) add(node);
    for (const node of this.durableNames.values()) add(node);
    for (const change of this.pendingNames) if (change.kind === "put") add(change.node);
    return nodes;
  }

  /** The machine loses power: only what was synced is sure to be there afterwards. */
  cutPower(mode: LossMode): void {
    this.#returnToCrashPoint();
    this.locks.clear();
    this.hasLostPages = false;
    const count = mode === "everything"
      ? 0
      : mode === "nothing"
      ? this.pendingNames.length
      : this.random.below(this.pendingNames.length + 1);
    for (const change of this.pendingNames.slice(0, count)) applyName(this.durableNames, change);
    this.pendingNames = [];
    this.dropOrphans();
    this.names = new Map(this.durableNames);
    for (const node of new Set(this.names.values())) {
      if (node !== "dir") this.settle(node, mode);
    }
  }

  /** The files by path, to look at or to damage; damage is done to `durable` and `cache` alike. */
  *files(): IterableIterator<[string, Inode]> {
    for (const [path, node] of this.names) if (node !== "dir") yield [path, node];
  }

  usedBytes(): number {
    let sum = 0;
    for (const [, node] of this.files()) sum += node.cache.length;
    return sum;
  }

  /** Resolves after the latency of an asynchronous call. */
  wait(): Promise<void> {
    const latency = this.random.below(1000) / 1000 * this.faults.maxLatencyMs;
    return new Promise((resolve) => this.clock.setTimer(latency, resolve));
  }

  private changeNames(change: NameChange): void {
    applyName(this.names, change);
    this.pendingNames.push({ ...change });
  }

  /** What is in a folder that itself is lost cannot be reached any more. */
  private dropOrphans(): void {
    for (const path of [...this.durableNames.keys()].sort()) {
      if (path !== "/" && this.durableNames.get(parentOf(path)) !== "dir") {
        this.durableNames.delete(path);
      }
    }
  }

  private settle(node: Inode, mode: LossMode): void {
    let bytes = node.durable;
    const count = mode === "prefix" ? this.random.below(node.pending.length + 1) : Infinity;
    node.pending.forEach((change, index) => {
      if (mode === "everything" || index >= count) return;
      bytes = mode === "sectors" ? this.applySome(bytes, change) : applyChange(bytes, change);
    });
    node.pending = [];
    node.durable = bytes;
    node.cache = bytes;
  }

  /** Each sector of a write arrives, or does not. */
  private applySome(bytes: Bytes, change: Change): Bytes {
    if (change.kind === "truncate") {
      return this.random.chance(50) ? applyChange(bytes, change) : bytes;
    }
    let result = bytes;
    const end = change.position + change.bytes.length;
    for (let at = change.position; at < end;) {
      const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (this.random.chance(60)) {
        const part = change.bytes.subarray(at - change.position, next - change.position);
        result = applyChange(result, { kind: "write", position: at, bytes: part });
      }
      at = next;
    }
    return result;
  }
}

class FaultyFile implements DiskFile {
  constructor(
    readonly path: string,
    private readonly node: Inode,
    private readonly disk: FaultyDisk,
    private readonly clock: Clock,
    private readonly random: SimRandom,
  ) {}

  sizeBytes(): number {
    return this.node.cache.length;
  }

  readSync(into: Uint8Array, position: number): number {
    const { cache } = this.node;
    const count = Math.max(0, Math.min(into.length, cache.length - position));
    into.set(cache.subarray(position, position + count));
    return count;
  }

  isCached(): boolean {
    return this.random.chance(80);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.disk.wait();
    return this.readSync(into, position);
  }

  writeSync(from: Uint8Array, position: number): void {
    const growth = Math.max(0, position + from.length - this.node.cache.length);
    const room = this.disk.freeBytes(this.path);
    if (growth > room) {
      this.writePart(from, position, Math.max(0, from.length - (growth - room)));
      throw refusal("ENOSPC", this.path);
    }
    const isDead = this.disk.isDead(this.path);
    if (isDead || this.random.chance(this.disk.faults.failingWritePercent)) {
      // A write that the page cache took whole has not failed.
      this.writePart(from, position, this.random.below(Math.max(1, from.length)));
      throw refusal("EIO", this.path);
    }
    this.disk.beforeWrite(this.node, () => {
      this.writePart(from, position, this.random.below(from.length + 1));
    });
    this.change({ kind: "write", position, bytes: from.slice() });
  }

  writevSync(from: readonly Uint8Array[], position: number): void {
    this.writeSync(Buffer.concat(from), position);
  }

  async sync(): Promise<void> {
    const { node } = this;
    const upTo = node.pending.length;
    const changes = node.pending.slice(0, upTo);
    await this.disk.wait();
    const isDead = this.disk.isDead(this.path);
    if (isDead || this.random.chance(this.disk.faults.failingSyncPercent)) {
      this.disk.hasLostPages = true;
      // As Linux does it: the pages count as clean now, and never reach the device.
      node.pending = node.pending.filter((change) => !changes.includes(change));
      throw refusal("EIO", this.path);
    }
    // Another sync may have come first.
    const rest = node.pending.filter((change) => changes.includes(change));
    for (const change of rest) node.applyToDurable(change);
    node.pending = node.pending.filter((change) => !changes.includes(change));
  }

  truncateSync(sizeBytes: number): void {
    this.change({ kind: "truncate", size: sizeBytes });
  }

  allocateSync(_sizeBytes: number): void {}

  close(): void {}

  private writePart(from: Uint8Array, position: number, count: number): void {
    if (count > 0) this.change({ kind: "write", position, bytes: from.slice(0, count) });
  }

  private change(change: Change): void {
    this.node.applyToCache(change);
    this.node.pending.push(change);
    this.node.modifiedMs = this.clock.wallMs();
  }
}

/** What is appended goes where there is room behind the bytes, if nobody else writes there. */
function appended(bytes: Bytes, added: Uint8Array, own: ArrayBuffer | null): Bytes {
  const size = bytes.length + added.length;
  if (bytes.buffer === own && bytes.byteOffset + size <= own.byteLength) {
    const grown = new Uint8Array(own, bytes.byteOffset, size);
    grown.set(added, bytes.length);
    return grown;
  }
  const room = new Uint8Array(size * 2);
  room.set(bytes);
  room.set(added, bytes.length);
  return room.subarray(0, size);
}

function applyChange(bytes: Bytes, change: Change): Bytes {
  if (change.kind === "truncate") {
    const cut = new Uint8Array(change.size);
    cut.set(bytes.subarray(0, change.size));
    return cut;
  }
  const size = Math.max(bytes.length, change.position + change.bytes.length);
  const written = new Uint8Array(size);
  written.set(bytes);
  written.set(change.bytes, change.position);
  return written;
}

function applyName(names: Names, change: NameChange): void {
  switch (change.kind) {
    case "put":
      names.set(change.path, change.node);
      return;
    case "remove":
      for (const path of [...names.keys()]) {
        if (path === change.path || path.startsWith(`${change.path}/`)) names.delete(path);
      }
      return;
    case "rename": {
      const node = names.get(change.from);
      if (node === undefined) return;
      for (const [path, moved] of [...names]) {
        if (path !== change.from && !path.startsWith(`${change.from}/`)) continue;
        names.delete(path);
        names.set(change.to + path.slice(change.from.length), moved);
      }
      return;
    }
  }
}

function touches(change: NameChange, dir: string): boolean {
  if (change.kind !== "rename") return parentOf(change.path) === dir;
  return parentOf(change.from) === dir || parentOf(change.to) === dir;
}

/** Whether the change is in a folder that took the name of one that was renamed. */
function isReplaced(change: NameChange, earlier: NameChange): boolean {
  if (earlier.kind !== "rename") return false;
  const paths = change.kind === "rename" ? [change.from, change.to] : [change.path];
  return paths.some((path) => path.startsWith(`${earlier.from}/`));
}

/** A folder has been renamed before an earlier change in it became durable. */
function movePaths(earlier: NameChange, rename: NameChange & { kind: "rename" }): void {
  const moved = (path: string) =>
    path.startsWith(`${rename.from}/`) ? rename.to + path.slice(rename.from.length) : path;
  if (earlier.kind === "rename") {
    earlier.from = moved(earlier.from);
    earlier.to = moved(earlier.to);
  } else {
    earlier.path = moved(earlier.path);
  }
}

function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : at === 0 ? "/" : path.slice(0, at);
}

function refusal(code: string, path: string): DiskError {
  return new DiskError(code, path, `${code}: ${path}`);
}
