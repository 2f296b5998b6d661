/**
 * The keys of a cluster in etcd and what is in their values. `P` is a position in 16 digits, so that
 * keys sort by it; texts are JSON with a `version`.
 *
 *     /kstream/<cluster>/identity         whose keys these are
 *     /kstream/<cluster>/head             where the log ends, and what ended it
 *     /kstream/<cluster>/changes/P        the change that begins there: a line of JSON, its record batch
 *     /kstream/<cluster>/chunks/P/ID/n    parts of the batch of a change that is too large for one key
 *     /kstream/<cluster>/snapshot         the last snapshot: its position, its chunks
 *     /kstream/<cluster>/snapshots/P/ID/n parts of it
 *     /kstream/<cluster>/controller       who is controller, and where; it goes with his lease
 *     /kstream/<cluster>/term             the last term that somebody was elected for
 */
import type { HostPort } from "../../core/io.ts";
import { MetadataFormatError, parseJson } from "../metadata-records.ts";
import { prefixEnd } from "./etcd-store.ts";

/** Of the values and of the layout as a whole. */
const VERSION = 1;
const POSITION_DIGITS = 16;
const CHUNK_DIGITS = 6;
const encoder = new TextEncoder();
const NEWLINE = 10;

/** The keys of one cluster. */
export class EtcdKeys {
  readonly prefix: string;
  readonly identity: string;
  readonly head: string;
  readonly snapshot: string;
  readonly controller: string;
  readonly term: string;
  readonly #changes: string;
  readonly #chunks: string;
  /** Where all chunks of snapshots are. */
  readonly snapshotFolder: string;

  constructor(cluster: string) {
    this.prefix = `/kstream/${cluster}/`;
    this.identity = `${this.prefix}identity`;
    this.head = `${this.prefix}head`;
    this.snapshot = `${this.prefix}snapshot`;
    this.controller = `${this.prefix}controller`;
    this.term = `${this.prefix}term`;
    this.#changes = `${this.prefix}changes/`;
    this.#chunks = `${this.prefix}chunks/`;
    this.snapshotFolder = `${this.prefix}snapshots/`;
  }

  /** The change that begins at this position. */
  change(position: number): string {
    return this.#changes + padded(position, POSITION_DIGITS);
  }

  get changesEnd(): string {
    return prefixEnd(this.#changes);
  }

  /** Where the chunks of a change that begins at this position are. */
  changeChunks(position: number, id: string): string {
    return `${this.#chunks}${padded(position, POSITION_DIGITS)}/${id}/`;
  }

  /** Where the chunks of a snapshot of this position are. */
  snapshotChunks(position: number, id: string): string {
    return `${this.snapshotFolder}${padded(position, POSITION_DIGITS)}/${id}/`;
  }

  /** What a snapshot of this position makes useless: ranges from a key to before another. */
  before(position: number): readonly { readonly key: string; readonly rangeEnd: string }[] {
    return [this.#changes, this.#chunks, this.snapshotFolder].map((prefix) => ({
      key: prefix,
      rangeEnd: prefix + padded(position, POSITION_DIGITS),
    }));
  }
}

/** A chunk in its folder. */
export function chunkKey(folder: string, index: number): string {
  return folder + padded(index, CHUNK_DIGITS);
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, "0");
}

/** Whose keys these are. */
export interface Identity {
  readonly cluster: string;
  /** Kafka's base64url form of a UUID. */
  readonly clusterId: string;
}

/** Where the log ends. `id` names the append that ended it there, "" for none. */
export interface Head {
  readonly position: number;
  readonly id: string;
  /** In which term; 0 for none. */
  readonly term: number;
}

/** What precedes the batch of a change. With chunks, the batch is in so many of them instead. */
export interface ChangeHeader {
  readonly id: string;
  readonly term: number;
  readonly chunks: number;
}

/** The last snapshot. */
export interface SnapshotPointer {
  readonly position: number;
  readonly id: string;
  readonly chunks: number;
}

/** Who is controller. `id` is another one for each lease of a candidate. */
export interface ControllerEntry {
  readonly id: string;
  readonly nodeId: number;
  readonly term: number;
  readonly address: HostPort;
}

const text = (fields: object) => encoder.encode(JSON.stringify({ version: VERSION, ...fields }));

export const encodeIdentity = (identity: Identity): Uint8Array =>
  text({ format: "kstream-metadata", ...identity });
export const encodeHead = (head: Head): Uint8Array => text(head);
export const encodeSnapshotPointer = (pointer: SnapshotPointer): Uint8Array => text(pointer);
export const encodeController = (entry: ControllerEntry): Uint8Array => text(entry);
export const encodeTerm = (term: number): Uint8Array => text({ term });

/** The value of a change: its header as a line, then the batch (empty if it is in chunks). */
export function encodeChangeValue(header: ChangeHeader, batch: Uint8Array): Uint8Array {
  const line = text(header);
  const value = new Uint8Array(line.length + 1 + batch.length);
  value.set(line);
  value[line.length] = NEWLINE;
  value.set(batch, line.length + 1);
  return value;
}

/** Null if these are not the keys of this version of kstream. */
export function decodeIdentity(value: Uint8Array): Identity | null {
  try {
    const fields = parseFields(value, "identity");
    if (fields.get("format") !== "kstream-metadata") return null;
    return { cluster: textOf(fields, "cluster"), clusterId: textOf(fields, "clusterId") };
  } catch (error) {
    if (error instanceof MetadataFormatError) return null;
    throw error;
  }
}

/** The decoders throw a `MetadataFormatError` for what they do not know. */
export function decodeHead(value: Uint8Array): Head {
  const fields = parseFields(value, "head");
  return {
    position: numberOf(fields, "position"),
    id: textOf(fields, "id"),
    term: numberOf(fields, "term"),
  };
}

export function decodeChangeValue(
  value: Uint8Array,
): { readonly header: ChangeHeader; readonly batch: Uint8Array } {
  const end = value.indexOf(NEWLINE);
  if (end < 0) throw new MetadataFormatError("a change in etcd has no header");
  const fields = parseFields(value.subarray(0, end), "change");
  const header = {
    id: textOf(fields, "id"),
    term: numberOf(fields, "term"),
    chunks: numberOf(fields, "chunks"),
  };
  return { header, batch: value.slice(end + 1) };
}

export function decodeSnapshotPointer(value: Uint8Array): SnapshotPointer {
  const fields = parseFields(value, "snapshot");
  return {
    position: numberOf(fields, "position"),
    id: textOf(fields, "id"),
    chunks: numberOf(fields, "chunks"),
  };
}

export function decodeController(value: Uint8Array): ControllerEntry {
  const fields = parseFields(value, "controller");
  return {
    id: textOf(fields, "id"),
    nodeId: numberOf(fields, "nodeId"),
    term: numberOf(fields, "term"),
    address: addressOf(fields),
  };
}

export function decodeTerm(value: Uint8Array): number {
  return numberOf(parseFields(value, "term"), "term");
}

function parseFields(value: Uint8Array, what: string): Map<string, unknown> {
  const fields = new Map<string, unknown>(Object.entries(parseJson(value) ?? {}));
  if (fields.get("version") === VERSION) return fields;
  throw new MetadataFormatError(`the key "${what}" in etcd is of an unknown version`);
}

function addressOf(fields: ReadonlyMap<string, unknown>): HostPort {
  const address = new Map<string, unknown>(Object.entries(fields.get("address") ?? {}));
  return { host: textOf(address, "host"), port: numberOf(address, "port") };
}

function textOf(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name);
  if (typeof value === "string") return value;
  throw new MetadataFormatError(`a value in etcd lacks "${name}"`);
}

function numberOf(fields: ReadonlyMap<string, unknown>, name: string): number {
  const value = fields.get(name);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new MetadataFormatError(`a value in etcd lacks "${name}"`);
}
