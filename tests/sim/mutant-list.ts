/**
 * Builds that are broken on purpose, one line at a time: what the simulator has to notice.
 *
 * Four checks are not here, since no world gets anywhere without the others that stand beside them:
 *
 * - AlterPartition of an earlier registration of the leader: the epochs of the partition have gone on
 *   since. The world `replication` does not compare it at all; without those epochs, see `late-proposal`
 *   and `stale-proposal`.
 * - A heartbeat of an earlier registration: its process has ended, and has not applied the next
 *   registration, without which nobody is unfenced. `broker-sessions.test.ts` fails without the check.
 * - The end of a transaction from a coordinator that was deposed: what it has decided was committed, so
 *   the next one has decided the same; with `transaction.version` 2 the producer's epoch refuses it as
 *   well. `storage/transactions.test.ts` fails without the check.
 * - Metadata from a controller of an older term: an image holds what is in etcd, which has one history
 *   (`metadata-deposed-controller`). `metadata-fetch.test.ts` fails without the check.
 */

/** A line of the code that is broken on purpose, and who has to notice. */
export interface Mutant {
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** More of the same file, found and replaced. */
  readonly also?: Readonly<Record<string, string>>;
  readonly world: string;
  /** Flags of the simulator that go straight to where it hurts. */
  readonly focus?: readonly string[];
  readonly seeds: number;
}

const LEADER = "cluster/replication/leader-replicas.ts";
const CHANGE = "cluster/controller/partition-change.ts";
const ALTER = "cluster/controller/alter-partition.ts";
const DIVERGENCE = "cluster/replication/divergence.ts";
const replication = { world: "replication", seeds: 10_000 };
const PARTITION = "broker/partition.ts";
const ETCD_LOG = "cluster/etcd/etcd-metadata-log.ts";
const ETCD_ELECTION = "cluster/etcd/etcd-controller-election.ts";
const APPENDER = "storage/log-appender.ts";
const metadata = { world: "metadata", seeds: 300 };
/** Whole brokers: what is broken between the parts. */
const cluster = { world: "cluster", seeds: 100 };
const stranded = { ...cluster, focus: ["--faults", "strand,kill"] };
const resets = { ...cluster, focus: ["--faults", "reset,strand", "--durability", "os"] };

/** What has to be noticed, by name. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "removal-counted-early": {
    ...replication,
    breaks: "a member of the ISR is not waited for once its removal is proposed",
    file: LEADER,
    find: "return this.#committed.isr.includes(id) ||",
    replace: "return (this.#proposed === null && this.#committed.isr.includes(id)) ||",
  },
  "isr-counted-too-soon": {
    ...replication,
    breaks: "a proposed member of the ISR is not waited for until it is one",
    file: LEADER,
    find: "(this.#proposed?.isr.some(({ brokerId }) => brokerId === id) ?? false)",
    replace: "false",
  },
  "early-high-watermark": {
    ...replication,
    breaks: "the leader counts what it has not synced",
    file: LEADER,
    find: "let least = this.#durableEnd;",
    replace: "let least = this.#logEnd;",
  },
  "joins-behind": {
    ...replication,
    breaks: "a follower joins the ISR below the high watermark",
    file: LEADER,
    find: "follower.endOffset >= Math.max(this.#highWatermark, this.#epochStartOffset)",
    replace: "follower.endOffset >= 0",
  },
  "joins-before-the-epoch": {
    ...replication,
    breaks: "a follower joins the ISR without what the leader had at its election",
    file: LEADER,
    find: "Math.max(this.#highWatermark, this.#epochStartOffset)",
    replace: "this.#highWatermark",
  },
  "skipped-fence": {
    ...replication,
    breaks:
      "the controller takes a broker into the ISR for the one that it was before it restarted",
    file: ALTER,
    find: "return named < 0 || named === registered;",
    replace: "return true;",
  },
  "refused-and-forgotten": {
    ...replication,
    breaks: "a copy of a refused proposal is accepted later",
    file: CHANGE,
    find: "return { ...before, partitionEpoch: before.partitionEpoch + 1 };",
    replace: "return before;",
  },
  "late-proposal": {
    ...replication,
    breaks: "a proposal is accepted though the partition has changed since",
    file: ALTER,
    find: "if (partitionEpoch < state.partitionEpoch) return Errors.INVALID_UPDATE_VERSION;",
    replace: "",
  },
  "stale-proposal": {
    ...replication,
    breaks: "a proposal is accepted of an earlier time in office",
    file: ALTER,
    find: "if (leaderEpoch < state.leaderEpoch) return Errors.FENCED_LEADER_EPOCH;",
    replace: "if (leaderEpoch < state.leaderEpoch) partitionEpoch = state.partitionEpoch;",
  },
  "unclean-stays-eligible": {
    ...replication,
    breaks: "a broker that has lost something stays in the ELR",
    file: CHANGE,
    find: "!isr.includes(id) && !isUnsure(id)",
    replace: "!isr.includes(id)",
  },
  "everybody-eligible": {
    ...replication,
    breaks: "who leaves an ISR that is large enough stays eligible",
    file: CHANGE,
    find: "const elr = isEnough(isr) ? [] : candidates;",
    replace: "const elr = candidates;",
    also: { "isEnough(led.isr) ? { ...led, elr: [] } : led": "led" },
  },
  "watermark-below-min-isr": {
    ...replication,
    breaks: "the high watermark moves while the ISR is too small",
    file: LEADER,
    find: "if (this.#committed.isr.length < minInsync) return false;",
    replace: "",
  },
  "eligible-beside-a-whole-isr": {
    ...replication,
    breaks: "the ELR stays when a leader out of it makes the ISR large enough",
    file: CHANGE,
    find: "isEnough(led.isr) ? { ...led, elr: [] } : led",
    replace: "led",
  },
  "no-truncation": {
    ...replication,
    breaks: "a follower keeps what its leader never had",
    file: DIVERGENCE,
    find: "return end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset;",
    replace: "return false;",
  },
  "cluster-silent-broker-stays": {
    ...cluster,
    breaks: "a broker that is not heard of for a session is not fenced",
    file: "broker/cluster/broker-control.ts",
    find: 'new BrokerSessions(config.get("broker.session.timeout.ms"))',
    replace: "new BrokerSessions(1e9)",
  },
  "cluster-early-high-watermark": {
    ...cluster,
    breaks: "the high watermark does not wait for followers",
    file: LEADER,
    find: "if (counts) least = follower.endOffset;",
    replace: "",
  },
  "cluster-joins-behind": {
    ...resets,
    breaks: "a follower joins the ISR wherever it is",
    file: LEADER,
    find: "follower.endOffset >= Math.max(this.#highWatermark, this.#epochStartOffset)",
    replace: "follower.endOffset >= 0",
  },
  "cluster-no-truncation": {
    ...stranded,
    breaks: "a follower keeps what its leader never had",
    file: DIVERGENCE,
    find: "return end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset;",
    replace: "return false;",
  },
  "cluster-unclean-stays": {
    ...resets,
    breaks: "a broker that has lost something stays in the ISR when it begins anew",
    file: "cluster/controller/registration.ts",
    find: "const left = wasClean ? { leaving: ids } : { unclean: ids };",
    replace: "const left = {};",
  },
  "cluster-follower-believes": {
    ...stranded,
    breaks: "a follower takes all that it has for committed",
    file: PARTITION,
    find: "this.#moveHighWatermark(Math.min(leaderHighWatermark, log.logEndOffset));",
    replace: "this.#moveHighWatermark(log.logEndOffset);",
  },
  "cluster-uncommitted-is-served": {
    ...stranded,
    breaks: "consumers get what is not replicated yet",
    file: PARTITION,
    find: `      case "read_uncommitted":
        return this.#highWatermark;`,
    replace: `      case "read_uncommitted":
        return this.log.logEndOffset;`,
  },
  "cluster-early-acknowledgement": {
    ...stranded,
    breaks: "acks=all is acknowledged by the leader alone",
    file: PARTITION,
    find: "if (this.#highWatermark >= offset) return Promise.resolve(Errors.NONE);",
    replace: "if (this.log.logEndOffset >= offset) return Promise.resolve(Errors.NONE);",
  },
  "cluster-early-coordinator": {
    ...stranded,
    breaks: "a coordinator serves when it has loaded what it knows to be committed",
    file: "broker/coordinator/load.ts",
    find: "const endOffset = log.logEndOffset;",
    replace: "const endOffset = Math.min(log.logEndOffset, log.highWatermark);",
  },
  "cluster-forgotten-producers": {
    ...stranded,
    breaks: "a follower does not learn the sequence numbers of producers",
    file: APPENDER,
    find: "const error = this.write(records.subarray(at, at + size), nowMs);",
    replace: "const error = this.write(records.subarray(at, at + size), nowMs, false);",
    also: {
      "private write(bytes: Uint8Array, nowMs: number)":
        "private write(bytes: Uint8Array, nowMs: number, learns = true)",
      "state.producers.update(bytes, 0, nowMs);":
        "if (learns) state.producers.update(bytes, 0, nowMs);",
    },
  },
  "metadata-deposed-controller": {
    ...metadata,
    breaks: "an append does not check who is controller",
    file: ETCD_LOG,
    find: "[this.#compareHead(this.#head), ...(fence === undefined ? [] : [fence.compare])]",
    replace: "[this.#compareHead(this.#head)]",
  },
  "metadata-office-for-ever": {
    ...metadata,
    breaks: "a controller that does not reach etcd believes in its office beyond its lease",
    file: ETCD_ELECTION,
    find: "validUntilMs: askedMs + ttlMs",
    replace: "validUntilMs: askedMs + 1e6",
    also: {
      "lease.validUntilMs = askedMs + renewed.value.ttlMs;": "lease.validUntilMs = askedMs + 1e6;",
    },
  },
  "cluster-holes-stay": {
    ...cluster,
    focus: ["--faults", "reset,powerCut,flippedBit", "--durability", "os"],
    breaks: "a replica that recovers goes on behind a hole",
    file: "broker/foundation.ts",
    find: "cutsDamage: true",
    replace: "cutsDamage: false",
  },
};

/** The code with the mutation, or null if what it replaces is not there once. */
export function mutated(text: string, { find, replace, also = {} }: Mutant): string | null {
  let broken = text;
  for (const [old, instead] of Object.entries({ [find]: replace, ...also })) {
    if (broken.split(old).length !== 2) return null;
    broken = broken.replace(old, () => instead);
  }
  return broken;
}
