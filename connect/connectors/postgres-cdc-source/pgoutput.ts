/**
 * The messages of logical replication: what a walsender sends in COPY, and in it the changes as the
 * plugin `pgoutput` writes them, protocol version 1
 * (PostgreSQL's documentation, "Streaming Replication Protocol" and "Logical Replication Message
 * Formats"). Buffers are only looked at during a call.
 */

/** Text of a column; null; undefined: a large value that is stored apart and was not changed. */
export type Cell = string | null | undefined;
export type Row = readonly Cell[];

export interface RelationColumn {
  readonly name: string;
  /** Part of the replica identity. */
  readonly isKey: boolean;
  readonly typeOid: number;
  readonly typeModifier: number;
}

/** A table as it was when the changes behind this were made. One object until it changes. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** `d`: the primary key, `n`: nothing, `f`: all columns, `i`: an index. */
  readonly identity: string;
  readonly columns: readonly RelationColumn[];
}

export interface Begin {
  readonly kind: "begin";
  /** Where its commit lies: transactions come in this order. */
  readonly commitLsn: bigint;
  /** Microseconds since 1970. */
  readonly commitUs: number;
  readonly xid: number;
}

export interface Commit {
  readonly kind: "commit";
  /** Behind it nothing of the transaction comes. */
  readonly endLsn: bigint;
}

export interface RowChange {
  readonly kind: "insert" | "update" | "delete";
  readonly relation: Relation;
  readonly lsn: bigint;
  /** What it was; only the columns of the identity where `isOldKeyOnly`. Null: not sent. */
  readonly old: Row | null;
  readonly isOldKeyOnly: boolean;
  readonly row: Row | null;
}

export interface Truncate {
  readonly kind: "truncate";
  readonly lsn: bigint;
  readonly relations: readonly Relation[];
}

/** What is waited for has not come, but all up to here was sent. */
export interface KeepAlive {
  readonly kind: "keepalive";
  readonly walEnd: bigint;
  readonly wantsReply: boolean;
}

export type Change = RowChange | Truncate;
export type StreamMessage = Begin | Commit | Change | KeepAlive;

/** Microseconds from 1970 to 2000, which PostgreSQL counts from. */
const EPOCH_US = 946_684_800_000_000;

/** See the head of the file. Remembers the relations that were described. */
export class PgOutput {
  readonly #relations = new Map<number, Relation>();
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  /** What a message of COPY says; null: nothing that counts here. Throws where it is broken. */
  read(buffer: Buffer): StreamMessage | null {
    this.#buffer = buffer;
    this.#at = 1;
    switch (buffer[0]) {
      case 0x77: {
        const lsn = this.#int64();
        this.#at += 16;
        return this.#change(lsn);
      }
      case 0x6b: {
        const walEnd = this.#int64();
        this.#at += 8;
        return { kind: "keepalive", walEnd, wantsReply: this.#byte() === 1 };
      }
      default:
        throw new Error(`replication sent a message of unknown kind ${buffer[0]}`);
    }
  }

  #change(lsn: bigint): StreamMessage | null {
    const kind = String.fromCharCode(this.#byte());
    switch (kind) {
      case "B":
        return {
          kind: "begin",
          commitLsn: this.#int64(),
          commitUs: Number(this.#int64()) + EPOCH_US,
          xid: this.#int32(),
        };
      case "C":
        this.#at += 9;
        return { kind: "commit", endLsn: this.#int64() };
      case "R":
        this.#relation();
        return null;
      case "I":
      case "U":
      case "D":
        return this.#rowChange(kind, lsn);
      case "T":
        return this.#truncate(lsn);
      // Types, origins and messages of applications.
      case "Y":
      case "O":
      case "M":
        return null;
      default:
        throw new Error(`pgoutput sent a message of unknown kind "${kind}"`);
    }
  }

  #relation(): void {
    const oid = this.#int32();
    const schema = this.#text() || "pg_catalog";
    const table = this.#text();
    const identity = String.fromCharCode(this.#byte());
    const count = this.#int16();
    const columns: RelationColumn[] = [];
    for (let i = 0; i < count; i++) {
      const isKey = (this.#byte() & 1) === 1;
      const name = this.#text();
      columns.push({ name, isKey, typeOid: this.#int32(), typeModifier: this.#int32() | 0 });
    }
    this.#relations.set(oid, { oid, schema, table, identity, columns });
  }

  #rowChange(kind: "I" | "U" | "D", lsn: bigint): RowChange {
    const relation = this.#known(this.#int32());
    let part = String.fromCharCode(this.#byte());
    let old: Row | null = null;
    const isOldKeyOnly = part === "K";
    if (part === "K" || part === "O") {
      old = this.#row();
      part = kind === "U" ? String.fromCharCode(this.#byte()) : "";
    }
    const row = part === "N" ? this.#row() : null;
    if (kind === "I") return { kind: "insert", relation, lsn, old: null, isOldKeyOnly, row };
    return { kind: kind === "U" ? "update" : "delete", relation, lsn, old, isOldKeyOnly, row };
  }

  #truncate(lsn: bigint): Truncate {
    const count = this.#int32();
    this.#at++;
    const relations: Relation[] = [];
    for (let i = 0; i < count; i++) relations.push(this.#known(this.#int32()));
    return { kind: "truncate", lsn, relations };
  }

  #known(oid: number): Relation {
    const relation = this.#relations.get(oid);
    if (relation === undefined) throw new Error(`pgoutput sent a row of unknown table ${oid}`);
    return relation;
  }

  #row(): Row {
    const count = this.#int16();
    const row: Cell[] = new Array(count);
    for (let i = 0; i < count; i++) {
      switch (this.#byte()) {
        case 0x6e:
          row[i] = null;
          break;
        case 0x75:
          row[i] = undefined;
          break;
        case 0x74: {
          const length = this.#int32();
          row[i] = this.#buffer.toString("utf8", this.#at, this.#at += length);
          break;
        }
        default:
          throw new Error("pgoutput sent a value that is no text");
      }
    }
    return row;
  }

  #byte(): number {
    return this.#buffer.readUInt8(this.#at++);
  }

  #int16(): number {
    return this.#buffer.readUInt16BE((this.#at += 2) - 2);
  }

  #int32(): number {
    return this.#buffer.readUInt32BE((this.#at += 4) - 4);
  }

  #int64(): bigint {
    return this.#buffer.readBigUInt64BE((this.#at += 8) - 8);
  }

  #text(): string {
    const end = this.#buffer.indexOf(0, this.#at);
    const text = this.#buffer.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }
}

/** Says how far all is safe (and that the client is there): a standby's status update, in COPY. */
export function statusUpdate(flushed: bigint, wallMs: number, wantsReply: boolean): Buffer {
  const buffer = Buffer.alloc(39);
  buffer[0] = 0x64;
  buffer.writeUInt32BE(38, 1);
  buffer[5] = 0x72;
  buffer.writeBigUInt64BE(flushed, 6);
  buffer.writeBigUInt64BE(flushed, 14);
  buffer.writeBigUInt64BE(flushed, 22);
  buffer.writeBigInt64BE(BigInt(Math.round(wallMs * 1000 - EPOCH_US)), 30);
  buffer[38] = wantsReply ? 1 : 0;
  return buffer;
}
