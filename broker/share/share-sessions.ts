/**
 * Share sessions (Kafka's `ShareSessionCache`): a member names its partitions once, later requests
 * carry what changed. A session belongs to the connection that opened it and ends with it, so that
 * what the member had acquired goes to others at once. Epochs make sure that no request is taken
 * twice: 0 opens, −1 closes, all others follow one another.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";

/** The request opens a session, in place of the one that the member may have. */
export const INITIAL_EPOCH = 0;
/** The request closes the session. */
export const FINAL_EPOCH = -1;
const EPOCH_MAX = 0x7fffffff;

/** A partition that a session fetches from. */
export interface SessionPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** One member's session; its partitions in the order in which the next response takes them. */
export class ShareSession {
  readonly partitions = new Map<string, SessionPartition>();
  /** The epoch that the next request must carry. */
  epoch = 1;
  readonly #ended = new AbortController();

  constructor(
    readonly groupId: string,
    readonly memberId: string,
    /** The connection that it lives and dies with. */
    readonly connectionId: number,
  ) {}

  /** Aborted once it is closed, or another has taken its place. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
  }

  add(partition: SessionPartition): void {
    const id = idOf(partition);
    if (!this.partitions.has(id)) this.partitions.set(id, partition);
  }

  forget(partition: SessionPartition): void {
    this.partitions.delete(idOf(partition));
  }

  /** Puts a partition that was just served behind the others, so that each gets its turn. */
  rotate(partition: SessionPartition): void {
    const id = idOf(partition);
    if (this.partitions.delete(id)) this.partitions.set(id, partition);
  }
}

/** All sessions of this broker; bounded. */
export class ShareSessions {
  readonly #max: () => number;
  readonly #sessions = new Map<string, ShareSession>();

  /** `max`: group.share.max.share.sessions. */
  constructor(max: () => number) {
    this.#max = max;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Opens a session; SHARE_SESSION_LIMIT_REACHED where there is no room. */
  open(groupId: string, memberId: string, connectionId: number): ShareSession | ErrorCode {
    const id = sessionId(groupId, memberId);
    this.#remove(id);
    if (this.#sessions.size >= this.#max()) return Errors.SHARE_SESSION_LIMIT_REACHED;
    const session = new ShareSession(groupId, memberId, connectionId);
    this.#sessions.set(id, session);
    return session;
  }

  /**
   * The session of a request with this epoch, which is neither the initial nor checked where it is
   * the final one. SHARE_SESSION_NOT_FOUND or INVALID_SHARE_SESSION_EPOCH if it does not fit.
   */
  use(groupId: string, memberId: string, epoch: number): ShareSession | ErrorCode {
    const session = this.#sessions.get(sessionId(groupId, memberId));
    if (session === undefined) return Errors.SHARE_SESSION_NOT_FOUND;
    if (epoch === FINAL_EPOCH) return session;
    if (session.epoch !== epoch) return Errors.INVALID_SHARE_SESSION_EPOCH;
    session.epoch = epoch === EPOCH_MAX ? 1 : epoch + 1;
    return session;
  }

  /** Whether this very session is still the member's. */
  isCurrent(session: ShareSession): boolean {
    return this.#sessions.get(sessionId(session.groupId, session.memberId)) === session;
  }

  close(session: ShareSession): void {
    if (this.isCurrent(session)) this.#remove(sessionId(session.groupId, session.memberId));
  }

  #remove(id: string): void {
    this.#sessions.get(id)?.end();
    this.#sessions.delete(id);
  }

  /** Whether the member has a session, this one or another. */
  hasMember({ groupId, memberId }: ShareSession): boolean {
    return this.#sessions.has(sessionId(groupId, memberId));
  }

  /** Whether any member of the group has a session here. */
  hasGroup(groupId: string): boolean {
    for (const session of this.#sessions.values()) if (session.groupId === groupId) return true;
    return false;
  }

  /** The sessions of a group's members. */
  ofGroup(groupId: string): ShareSession[] {
    return [...this.#sessions.values()].filter((session) => session.groupId === groupId);
  }
}

function sessionId(groupId: string, memberId: string): string {
  return `${memberId.length}:${memberId}${groupId}`;
}

function idOf({ topicId, partition }: SessionPartition): string {
  return `${topicId}:${partition}`;
}
