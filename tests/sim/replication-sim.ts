/**
 * One partition through everything that brokers, links and the controller do to it, in the abstract:
 * logs are lists, messages are calls in any order. What decides is the real code: `LeaderReplicas`,
 * `changePartition`, `proposalError`, `divergingEpoch`, `truncationOffset`. Leaders are deposed without
 * knowing it, living brokers are fenced, brokers lose what they had not synced.
 *
 * It is held that who can be elected cleanly has all that was acknowledged, that a high watermark never
 * stands where logs differ, and that in the end all is replicated again.
 */
import { isSameRegistration, proposalError } from "../../cluster/controller/alter-partition.ts";
import {
  changePartition,
  type Election,
  type PartitionChange,
  type PartitionState,
  refuseProposal,
} from "../../cluster/controller/partition-change.ts";
import { divergingEpoch, truncationOffset } from "../../cluster/replication/divergence.ts";
import {
  type IsrProposal,
  type IsrSettings,
  LeaderReplicas,
} from "../../cluster/replication/leader-replicas.ts";
import { Errors } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { LeaderEpochs } from "../../storage/leader-epochs.ts";
import { SimRandom } from "./sim-random.ts";
import { expect, LivenessError } from "./violation.ts";

const LAG_MS = 200;
const HEAL_ROUNDS = 60;

/** What a run is drawn from. */
interface Options {
  readonly replicas: number;
  readonly minInsync: number;
  readonly steps: number;
  readonly lossPercent: number;
  readonly repeatPercent: number;
  /** How often a broker dies, is fenced without reason, or is told of nothing. */
  readonly crashWeight: number;
  /** How fast messages arrive. */
  readonly deliverWeight: number;
  readonly diskLossPercent: number;
  readonly fenceWeight: number;
  /** How often each further broker is fenced in the same change. */
  readonly togetherPercent: number;
}

/** A record is a number that nobody else has. */
interface Entry {
  readonly epoch: number;
  readonly value: number;
}

/** A replica's log. */
class SimLog {
  entries: Entry[] = [];
  durable = 0;
  readonly epochs = new LeaderEpochs([]);

  get logEndOffset(): number {
    return this.entries.length;
  }

  epochEndOffset(leaderEpoch: number) {
    return this.epochs.endOffsetFor(leaderEpoch, this.logEndOffset);
  }

  append(entry: Entry): void {
    this.epochs.assign(entry.epoch, this.logEndOffset);
    this.entries.push(entry);
  }

  cut(endOffset: number): void {
    this.entries.length = Math.min(this.entries.length, endOffset);
    this.durable = Math.min(this.durable, endOffset);
    this.epochs.truncateFromEnd(endOffset);
  }
}

/** One broker, as far as the partition goes. */
class SimBroker {
  readonly log = new SimLog();
  isUp = true;
  /** It has lost something synced, and the controller does not know yet that it began anew. */
  isSpoiled = false;
  /** Of its registration. */
  epoch = 1;
  /** As it has heard of it, and how many changes that were. */
  known: PartitionState;
  heard = 0;
  highWatermark = 0;
  leads: LeaderReplicas | null = null;
  /** Only the answer to the last fetch counts: those before it were on connections that are gone. */
  fetches = 0;
  /** Sent until there is an answer. */
  proposal: IsrProposal | null = null;
  /** What it has taken and not acknowledged: the offset behind it, and the value. */
  waiting: { readonly end: number; readonly value: number }[] = [];

  constructor(readonly id: number, state: PartitionState) {
    this.known = state;
  }
}

/** See the head of the file. */
export class ReplicationSim {
  readonly options: Options;
  readonly trace: string[] = [];
  readonly #random: SimRandom;
  readonly #brokers: SimBroker[];
  readonly #settings: IsrSettings;
  /** The controller's. */
  #state: PartitionState;
  readonly #fenced = new Set<number>();
  /** Every change of metadata, for brokers to hear in order. */
  readonly #history: PartitionState[] = [];
  #mail: (() => void)[] = [];
  #nowMs = 0;
  #values = 0;
  readonly #acknowledged = new Map<number, number>();
  /** What stands below some high watermark. */
  readonly #settled: number[] = [];

  constructor(seed: number, _logger: Logger) {
    const random = new SimRandom(seed);
    this.#random = random;
    const replicas = random.between(1, 5);
    this.options = {
      replicas,
      minInsync: random.between(1, Math.max(1, replicas - 1)),
      steps: random.pick([100, 400, 1000, 4000]),
      lossPercent: random.pick([0, 10, 40]),
      repeatPercent: random.pick([0, 10]),
      deliverWeight: random.pick([150, 600]),
      crashWeight: random.pick([0, 1, 10, 30]),
      diskLossPercent: random.pick([0, 30, 90]),
      fenceWeight: random.pick([0, 2, 10, 30]),
      togetherPercent: random.pick([0, 50]),
    };
    const ids = Array.from({ length: replicas }, (_, id) => id);
    this.#state = {
      replicas: ids,
      isr: ids,
      elr: [],
      lastKnownElr: [],
      leader: 0,
      leaderEpoch: 0,
      partitionEpoch: 0,
      isRecovering: false,
      adding: [],
      removing: [],
      offline: [],
    };
    this.#history.push(this.#state);
    this.#brokers = ids.map((id) => new SimBroker(id, this.#state));
    this.#settings = {
      lagTimeMaxMs: LAG_MS,
      minInsync: this.options.minInsync,
      // A leader may not have heard yet who is fenced or has begun anew.
      isEligible: (id, epoch) =>
        (epoch === this.#brokers[id]?.epoch && !this.#fenced.has(id)) || random.chance(10),
    };
    this.#takeOffice(this.#brokers[0]!);
  }

  run(): void {
    for (let step = 0; step < this.options.steps; step++) {
      this.#step();
      this.#check();
    }
    this.#heal();
    this.trace.push(`${this.#acknowledged.size} acknowledged, epoch ${this.#state.leaderEpoch}`);
  }

  #step(): void {
    this.#nowMs += this.#random.below(20);
    const broker = this.#random.pick(this.#brokers);
    const { crashWeight, fenceWeight, deliverWeight } = this.options;
    const kinds: readonly (readonly [number, () => void])[] = [
      [75, () => this.#produce(broker)],
      [50, () => this.#sync(broker)],
      [125, () => this.#fetch(broker)],
      [75, () => this.#propose(broker)],
      [50, () => this.#hear(broker)],
      [deliverWeight, () => this.#deliver()],
      [crashWeight, () => this.#crash(broker)],
      [crashWeight * 2, () => this.#register(broker)],
      [crashWeight, () => this.#reset(broker)],
      [fenceWeight, () => this.#fence(broker)],
      [fenceWeight * 2, () => this.#unfence(broker)],
      [20, () => this.#change("preferred", {})],
    ];
    let left = this.#random.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, happen] of kinds) {
      left -= weight;
      if (left < 0) return happen();
    }
  }

  #note(text: string): void {
    this.trace.push(`${this.#nowMs} ${text}`);
  }

  /** With acks=all, at whoever believes to be the leader. */
  #produce(broker: SimBroker): void {
    const { leads, log, known } = broker;
    if (!broker.isUp || leads === null || leads.isr.length < this.options.minInsync) return;
    const value = ++this.#values;
    log.append({ epoch: known.leaderEpoch, value });
    broker.waiting.push({ end: log.logEndOffset, value });
    this.#advanced(
      broker,
      leads.onOwnEnd(log.logEndOffset, log.durable, this.#settings, this.#nowMs),
    );
  }

  #sync(broker: SimBroker): void {
    const { leads, log } = broker;
    if (!broker.isUp) return;
    log.durable = this.#random.between(log.durable, log.logEndOffset);
    if (leads === null) return;
    this.#advanced(
      broker,
      leads.onOwnEnd(log.logEndOffset, log.durable, this.#settings, this.#nowMs),
    );
  }

  /** The leader's high watermark may have moved: what waits for it is acknowledged. */
  #advanced(broker: SimBroker, hasMoved: boolean | null): void {
    const { leads } = broker;
    if (leads === null || hasMoved !== true) return;
    broker.highWatermark = leads.highWatermark;
    for (let at = 0; at < leads.highWatermark; at++) {
      const value = broker.log.entries[at]?.value ?? -1;
      if (at < this.#settled.length) {
        expect(
          this.#settled[at] === value,
          `offset ${at} is ${value}, and was ${this.#settled[at]}`,
        );
      } else this.#settled.push(value);
    }
    broker.waiting = broker.waiting.filter(({ end, value }) => {
      const isDone = end <= leads.highWatermark;
      if (isDone && leads.isr.length >= this.options.minInsync) {
        this.#acknowledged.set(value, end - 1);
      }
      return !isDone;
    });
  }

  /** A follower asks its leader; it syncs what it has before it says so. */
  #fetch(follower: SimBroker): void {
    const { leader, leaderEpoch } = follower.known;
    if (!follower.isUp || follower.leads !== null || leader < 0 || leader === follower.id) return;
    const { log, epoch } = follower;
    log.durable = log.logEndOffset;
    const fetchOffset = log.logEndOffset;
    const fetchId = ++follower.fetches;
    const lastEpoch = log.entries.at(-1)?.epoch ?? -1;
    this.#send(() => {
      const broker = this.#brokers[leader]!;
      const { leads } = broker;
      if (!broker.isUp || leads === null || broker.known.leaderEpoch !== leaderEpoch) return;
      const diverging = divergingEpoch(broker.log, fetchOffset, lastEpoch);
      const answers = (apply: () => void) =>
        this.#send(() => {
          const isSame = follower.isUp && follower.epoch === epoch && follower.leads === null &&
            follower.known.leaderEpoch === leaderEpoch && follower.fetches === fetchId;
          // Nor does it count twice.
          if (isSame) follower.fetches++;
          if (isSame) apply();
        });
      if (diverging !== null) {
        return answers(() => {
          const cut = truncationOffset(log, diverging);
          this.#note(`${follower.id} cuts ${log.logEndOffset} to ${cut}`);
          log.cut(cut);
        });
      }
      if (fetchOffset > broker.log.logEndOffset) return;
      const message = { brokerId: follower.id, brokerEpoch: epoch, fetchOffset, logStartOffset: 0 };
      this.#advanced(broker, leads.onFetch(message, this.#settings, this.#nowMs));
      const upTo = this.#random.between(fetchOffset, broker.log.logEndOffset);
      const entries = broker.log.entries.slice(fetchOffset, upTo);
      const { highWatermark } = leads;
      answers(() => {
        for (const entry of entries) log.append(entry);
        follower.highWatermark = Math.max(
          follower.highWatermark,
          Math.min(highWatermark, log.logEndOffset),
        );
      });
    });
  }

  #propose(broker: SimBroker): void {
    const { leads } = broker;
    if (!broker.isUp || leads === null) return;
    const proposal = leads.propose(this.#settings, this.#nowMs) ?? broker.proposal;
    if (proposal === null) return;
    broker.proposal = proposal;
    this.#send(() => this.#decide(broker, proposal));
  }

  /** The controller's answer to AlterPartition. */
  #decide(broker: SimBroker, proposal: IsrProposal): void {
    const proposed = { ...proposal, isRecovering: false };
    if (proposalError(this.#state, broker.id, proposed) !== Errors.NONE) return;
    const isFit = proposal.isr.every(({ brokerId, brokerEpoch }) =>
      !this.#fenced.has(brokerId) &&
      isSameRegistration(brokerEpoch, this.#brokers[brokerId]?.epoch)
    );
    if (isFit) this.#change("online", { isr: proposal.isr.map(({ brokerId }) => brokerId) });
    else this.#commit(refuseProposal(this.#state));
  }

  #change(election: Election, change: Partial<PartitionChange>): void {
    const next = changePartition(this.#state, {
      election,
      minInsync: this.options.minInsync,
      isAlive: (id) => !this.#fenced.has(id),
      ...change,
    });
    if (next !== null) this.#commit(next);
  }

  #commit(next: PartitionState): void {
    this.#state = next;
    this.#history.push(next);
    this.#note(JSON.stringify(next));
  }

  /** A broker hears of the next change. */
  #hear(broker: SimBroker): void {
    const next = this.#history[broker.heard + 1];
    if (!broker.isUp || next === undefined) return;
    broker.heard++;
    const before = broker.known;
    broker.known = next;
    if (next.leader !== broker.id) {
      broker.leads = null;
      broker.proposal = null;
      broker.waiting = [];
    } else if (next.leaderEpoch !== before.leaderEpoch || broker.leads === null) {
      this.#takeOffice(broker);
    } else {
      broker.proposal = null;
      this.#advanced(
        broker,
        broker.leads.onCommitted(next, next.replicas, this.#settings, this.#nowMs),
      );
    }
  }

  #takeOffice(broker: SimBroker): void {
    const { log, known, highWatermark, id } = broker;
    broker.waiting = [];
    broker.proposal = null;
    log.epochs.assign(known.leaderEpoch, log.logEndOffset);
    broker.leads = new LeaderReplicas(
      { self: id, ...known, epochStartOffset: log.logEndOffset, highWatermark },
      log.logEndOffset,
      log.durable,
      this.#nowMs,
    );
    this.#advanced(broker, broker.leads.advance(this.#settings, this.#nowMs));
  }

  /**
   * The power goes: what was not synced may be lost. Or its disk: then all may be, as long as fewer than
   * `min.insync.replicas` are down or spoiled, and one is left that the controller counts on.
   */
  #crash(broker: SimBroker): void {
    if (!broker.isUp) return;
    const isSound = (id: number) => this.#brokers[id]!.isUp && !this.#brokers[id]!.isSpoiled;
    const isLeft = [...this.#state.isr, ...this.#state.elr]
      .some((id) => id !== broker.id && isSound(id));
    const unsound = this.#brokers.filter(({ id }) => !isSound(id)).length;
    const mayLose = isLeft && unsound + 1 < this.options.minInsync;
    if (!mayLose && this.#brokers.some(({ isSpoiled }) => isSpoiled)) return;
    broker.isSpoiled = mayLose && this.#random.chance(this.options.diskLossPercent);
    if (broker.isSpoiled) broker.log.durable = this.#random.between(0, broker.log.durable);
    broker.isUp = false;
    broker.leads = null;
    broker.proposal = null;
    broker.waiting = [];
    broker.log.cut(this.#random.between(broker.log.durable, broker.log.logEndOffset));
    // Its checkpoint may be an old one.
    broker.highWatermark = this.#random.between(
      0,
      Math.min(broker.highWatermark, broker.log.logEndOffset),
    );
    this.#note(`${broker.id} crashes with ${broker.log.logEndOffset} left`);
  }

  /** It crashes and is back before anybody has noticed. */
  #reset(broker: SimBroker): void {
    this.#crash(broker);
    this.#register(broker);
    this.#unfence(broker);
  }

  /** It comes back: the controller takes it out of ISR and ELR, and it knows all up to then. */
  #register(broker: SimBroker): void {
    if (broker.isUp) return;
    broker.isUp = true;
    broker.isSpoiled = false;
    broker.epoch++;
    this.#note(`${broker.id} registers`);
    this.#fenced.add(broker.id);
    this.#change("online", { unclean: [broker.id] });
    broker.heard = this.#history.length - 1;
    broker.known = this.#state;
  }

  /** It is silent for too long, perhaps with others: the controller fences them in one change. */
  #fence(broker: SimBroker): void {
    if (this.#fenced.has(broker.id)) return;
    const leaving = this.#brokers.map(({ id }) => id).filter((id) =>
      id === broker.id ||
      (!this.#fenced.has(id) && this.#random.chance(this.options.togetherPercent))
    );
    for (const id of leaving) this.#fenced.add(id);
    this.#note(`${leaving.join()} fenced`);
    this.#change("online", { leaving });
  }

  #unfence(broker: SimBroker): void {
    if (!broker.isUp || !this.#fenced.delete(broker.id)) return;
    this.#note(`${broker.id} is unfenced`);
    this.#change("online", {});
  }

  #send(message: () => void): void {
    if (this.#random.chance(this.options.lossPercent)) return;
    this.#mail.push(message);
  }

  #deliver(): void {
    if (this.#mail.length === 0) return;
    const at = this.#random.below(this.#mail.length);
    const message = this.#mail[at]!;
    if (!this.#random.chance(this.options.repeatPercent)) this.#mail.splice(at, 1);
    message();
  }

  /** Whoever can be elected cleanly has everything that was acknowledged, and has it for good. */
  #check(): void {
    for (const id of [...this.#state.isr, ...this.#state.elr]) {
      const { log, isSpoiled } = this.#brokers[id]!;
      if (isSpoiled) continue;
      for (const [value, at] of this.#acknowledged) {
        expect(
          log.entries[at]?.value === value,
          `replica ${id} lacks ${value}, acknowledged at ${at}`,
        );
        expect(
          at < log.durable,
          `replica ${id} may lose ${value} at ${at}: ${log.durable} is durable`,
        );
      }
    }
  }

  #heal(): void {
    Object.assign(this.options, { lossPercent: 0, repeatPercent: 0 });
    for (let round = 0; round < HEAL_ROUNDS; round++) {
      this.#nowMs += 10;
      for (const broker of this.#brokers) {
        this.#register(broker);
        this.#unfence(broker);
        while (broker.heard < this.#history.length - 1) this.#hear(broker);
        broker.log.durable = broker.log.logEndOffset;
        this.#sync(broker);
        this.#fetch(broker);
        this.#propose(broker);
      }
      while (this.#mail.length > 0) this.#deliver();
      this.#check();
    }
    const leader = this.#brokers[this.#state.leader];
    const ends = this.#brokers.map(({ log }) => log.logEndOffset);
    const isWhole = leader?.leads?.highWatermark === leader?.log.logEndOffset &&
      this.#state.isr.length === this.options.replicas;
    if (!isWhole) throw new LivenessError(`${JSON.stringify(this.#state)}, logs end at ${ends}`);
    const values = this.#brokers.map(({ log }) => log.entries.map(({ value }) => value).join());
    expect(new Set(values).size === 1, "replicas differ in the end");
  }
}
