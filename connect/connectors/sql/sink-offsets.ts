/**
 * Where a sink has come to, in a table of its database: written in the transaction that has the rows,
 * so both are there or neither. Each assignment of a partition has an epoch, and who has an older one
 * changes nothing: a task that others believe to be gone.
 */
import { RetriableError } from "../../index.ts";
import type { SinkPosition } from "../../index.ts";
import { tableText } from "./dialect.ts";
import type { Dialect, TableName } from "./dialect.ts";
import type { Session } from "./session.ts";
import { SqlError } from "./sql-error.ts";

interface Claim {
  readonly epoch: bigint;
  /** Of the record that comes next; -1: nothing was written yet. */
  next: bigint;
}

type Partition = Pick<SinkPosition, "topic" | "partition">;

/** Somebody has written more than we know of: what an earlier attempt of ours has done after all. */
export class OffsetMoved extends Error {
  override readonly name = "OffsetMoved";
}

export class SinkOffsets {
  readonly #claims = new Map<string, Claim>();
  readonly #text: string;
  #isThere = false;

  constructor(
    readonly dialect: Dialect,
    readonly table: TableName,
    readonly connector: string,
  ) {
    this.#text = tableText(dialect, table);
  }

  /** Makes the table where it is not there. */
  async prepare(session: Session): Promise<void> {
    if (this.#isThere) return;
    if (await this.dialect.columns(session, this.table) === null) await this.#create(session);
    this.#isThere = true;
  }

  async #create(session: Session): Promise<void> {
    const statement =
      `CREATE TABLE ${this.#text} (${this.dialect.offsetColumns})${this.dialect.tableOptions}`;
    try {
      await session.query(statement);
    } catch (error) {
      if (!(error instanceof SqlError) || error.trouble === "lost") throw error;
      // Another task may have made it meanwhile.
      if (await this.dialect.columns(session, this.table) !== null) return;
      throw new SqlError(
        "other",
        `the table of offsets cannot be made (${error.message}); create it: ${statement}; or give ` +
          "delivery.guarantee=at-least-once, which needs none",
        error.code,
      );
    }
  }

  /** Makes this task the one that writes a partition. The offset to begin at; null: as the group says. */
  async claim(session: Session, { topic, partition }: Partition): Promise<bigint | null> {
    await session.begin();
    await session.query(this.dialect.claim(this.#text), [this.connector, topic, partition]);
    const stored = await this.#stored(session, topic, partition);
    await session.commit();
    if (stored === null) throw new SqlError("other", `${this.#text} has lost a row`, "");
    this.#claims.set(`${topic}-${partition}`, stored);
    return stored.next < 0n ? null : stored.next;
  }

  /** The partition is another task's from now on. */
  release({ topic, partition }: Partition): void {
    this.#claims.delete(`${topic}-${partition}`);
  }

  /** Whether a record is in the database already. */
  has({ topic, partition, offset }: SinkPosition): boolean {
    const claim = this.#claims.get(`${topic}-${partition}`);
    return claim !== undefined && offset < claim.next;
  }

  /**
   * Moves the offset on, within a transaction. Throws `RetriableError` where another task has claimed
   * the partition, `OffsetMoved` where more is written than was known.
   */
  async advance(session: Session, { topic, partition, offset }: SinkPosition): Promise<void> {
    const claim = this.#claims.get(`${topic}-${partition}`);
    if (claim === undefined) {
      throw new RetriableError(`partition ${topic}-${partition} is not ours`);
    }
    const { param } = this.dialect;
    const { count } = await session.query(
      `UPDATE ${this.#text} SET next_offset = ${param(1)} WHERE connector = ${
        param(2)
      } AND topic = ${param(3)} AND partition_number = ${param(4)} AND epoch = ${
        param(5)
      } AND next_offset = ${param(6)}`,
      [offset, this.connector, topic, partition, claim.epoch, claim.next],
    );
    if (count === 1) return;
    const stored = await this.#stored(session, topic, partition);
    if (stored === null || stored.epoch !== claim.epoch) {
      throw new RetriableError(
        `another task of "${this.connector}" writes partition ${topic}-${partition} (${this.#text})`,
      );
    }
    claim.next = stored.next;
    throw new OffsetMoved();
  }

  /** The transaction is done. */
  advanced({ topic, partition, offset }: SinkPosition): void {
    const claim = this.#claims.get(`${topic}-${partition}`);
    if (claim !== undefined) claim.next = offset;
  }

  async #stored(session: Session, topic: string, partition: number): Promise<Claim | null> {
    const { param } = this.dialect;
    const { rows } = await session.query(
      `SELECT epoch, next_offset FROM ${this.#text} WHERE connector = ${param(1)} AND topic = ${
        param(2)
      } AND partition_number = ${param(3)}`,
      [this.connector, topic, partition],
    );
    const row = rows[0];
    if (row === undefined) return null;
    return { epoch: BigInt(String(row["epoch"])), next: BigInt(String(row["next_offset"])) };
  }
}
