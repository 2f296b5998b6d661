/**
 * What is known of a group apart from the broker: which offsets its members have committed, as far
 * as they were told, and who reads which partition, as far as they were told that.
 */
import { expect } from "./violation.ts";

/** How a commit went; `unknown`: it may hold, or never have been. */
export type CommitState = "open" | "acked" | "refused" | "unknown";

/** One commit of a partition's offset; its number stands in its metadata. */
export interface Commit {
  readonly number: number;
  /** Null removes the offset. */
  readonly offset: number | null;
  /** Whether it may go back, as an administrator's may. */
  readonly isReset: boolean;
  /** Moments, counted over all events of the model. */
  readonly start: number;
  end: number | null;
  state: CommitState;
}

/** The commits of one partition, of one topic of that name. */
interface Register {
  commits: Commit[];
  /** When the topic was made. */
  since: number;
}

interface Owner {
  readonly member: string;
  untilMs: number;
}

/** See the head of this file. Partitions are named `topic-partition`. */
export class GroupModel {
  readonly #registers = new Map<string, Register>();
  readonly #owners = new Map<string, Owner>();
  #moment = 0;
  #commits = 0;
  acked = 0;

  /** A moment, before or after all others. */
  moment(): number {
    return ++this.#moment;
  }

  // ---- Offsets.

  /** A commit is about to be sent. */
  begin(partition: string, offset: number | null, isReset = false): Commit {
    const start = this.moment();
    const number = ++this.#commits;
    const commit: Commit = { number, offset, isReset, start, end: null, state: "open" };
    this.#register(partition).commits.push(commit);
    return commit;
  }

  /** The answer is there, or there will be none. */
  end(partition: string, commit: Commit, state: CommitState): void {
    commit.end = this.moment();
    commit.state = state;
    if (state === "acked") this.acked++;
    if (state !== "acked" || commit.isReset) return;
    const { commits } = this.#register(partition);
    for (const earlier of commits) {
      if (earlier.state !== "acked" || earlier.end! > commit.start) continue;
      const wentBack = (earlier.offset ?? 0) > (commit.offset ?? 0) &&
        !commits.some((each) =>
          each.isReset && each.state !== "refused" && (each.end ?? Infinity) > earlier.start
        );
      expect(!wentBack, `${partition} went back from ${earlier.offset} to ${commit.offset}`);
    }
  }

  /**
   * A fetch that was sent at that moment answers the commit of this number, or null. It has to be
   * the last one that was acknowledged before, or one that came later or at the same time.
   */
  fetched(partition: string, sentAt: number, number: number | null, offset: number): void {
    const register = this.#register(partition);
    if (register.since > sentAt) return;
    const { commits } = register;
    const told = number === null
      ? commits.findLast((each) => each.offset === null && each.state !== "refused")
      : commits.find((each) => each.number === number);
    const name = `${partition}: ${offset} of commit ${number}`;
    expect(number === null || told !== undefined, `${name} is of another topic`);
    expect(told === undefined || told.state !== "refused", `${name} was refused`);
    expect(number === null || told?.offset === offset, `${name} has offset ${told?.offset}`);
    const toldEnd = told === undefined ? 0 : told.end ?? Infinity;
    for (const each of commits) {
      if (each === told || each.start < toldEnd || (each.end ?? Infinity) > sentAt) continue;
      const facts = `commit ${each.number} of ${each.offset} was acknowledged before`;
      expect(each.state !== "acked", `${name} is told, but ${facts}`);
      // It would have been told.
      each.state = "refused";
    }
  }

  /** Whether the topic was made anew after that moment. */
  isOlder(partition: string, moment: number): boolean {
    return this.#register(partition).since > moment;
  }

  /** The topic was deleted and made again since that moment: what is committed of it is gone. */
  recreated(topic: string, since: number): void {
    for (const [partition, register] of this.#registers) {
      if (!partition.startsWith(`${topic}-`)) continue;
      const commits = register.commits.filter((each) => (each.end ?? Infinity) > since);
      // Nobody knows which of the two topics they were for.
      for (const each of commits) if (each.state === "acked") each.state = "unknown";
      this.#registers.set(partition, { commits, since: this.moment() });
    }
    for (const partition of this.#owners.keys()) {
      if (partition.startsWith(`${topic}-`)) this.#owners.delete(partition);
    }
  }

  #register(partition: string): Register {
    const register = this.#registers.get(partition) ?? { commits: [], since: 0 };
    this.#registers.set(partition, register);
    return register;
  }

  // ---- Who reads what.

  /** The member was told to read exactly these; its session lasts at least until then. */
  told(
    member: string,
    partitions: readonly string[],
    times: { nowMs: number; untilMs: number },
  ): void {
    for (const partition of partitions) {
      const owner = this.#owners.get(partition);
      const isTaken = owner !== undefined && owner.member !== member &&
        owner.untilMs > times.nowMs;
      expect(!isTaken, `${partition} is read by ${owner?.member} and ${member}`);
      this.#owners.set(partition, { member, untilMs: times.untilMs });
    }
  }

  /** The member reads nothing but these any more. */
  keeps(member: string, partitions: ReadonlySet<string>): void {
    for (const [partition, owner] of this.#owners) {
      if (owner.member === member && !partitions.has(partition)) this.#owners.delete(partition);
    }
  }

  /** The member reads nothing any more. */
  lost(member: string): void {
    this.keeps(member, new Set());
  }

  /** The member's session lasts at least until then. */
  alive(member: string, untilMs: number): void {
    for (const owner of this.#owners.values()) {
      if (owner.member === member) owner.untilMs = Math.max(owner.untilMs, untilMs);
    }
  }

  /** How many partitions are read by anybody. */
  get readCount(): number {
    return this.#owners.size;
  }
}
