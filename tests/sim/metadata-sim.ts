/**
 * The metadata log on etcd and the election of its controller, from a seed: several nodes that crash,
 * are cut off and lose answers, an etcd that loses its quorum and forgets revisions. The history must
 * be one line: what was acknowledged is there once, what was refused is not, all nodes read the same,
 * nobody appends in an earlier term than the last one elected, and no two nodes hold the office at a time. When all is well again, it
 * must go on.
 */
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import { decodeHead, decodeTerm, EtcdKeys } from "../../cluster/etcd/etcd-layout.ts";
import type { Logger } from "../../core/logger.ts";
import { CLUSTER, idOf, MetadataNode, type NodeWitness } from "./metadata-node.ts";
import { SimClock } from "./sim-clock.ts";
import { type EtcdFaults, NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "./sim-etcd.ts";
import { SimRandom } from "./sim-random.ts";
import { expect, LivenessError, Violation } from "./violation.ts";

const STEP_MS_MAX = 800;
const OUTAGE_MS_MAX = 15_000;
const HEAL_MS = 40_000;

interface MetadataSimOptions {
  readonly nodes: number;
  readonly steps: number;
  readonly appendEveryMs: number;
  readonly firstAppendMs: number;
  readonly snapshotPercent: number;
  readonly largePercent: number;
  readonly faults: EtcdFaults;
  /** What may happen in a step, in percent. */
  readonly crash: number;
  readonly cut: number;
  readonly outage: number;
  readonly compact: number;
}

function optionsOf(random: SimRandom): MetadataSimOptions {
  // Some kinds of trouble are off, others extreme (swarm testing).
  const maybe = (most: number) => random.chance(40) ? 0 : random.below(most + 1);
  return {
    nodes: random.between(2, 4),
    steps: random.between(30, 120),
    appendEveryMs: random.pick([200, 600, 2000]),
    firstAppendMs: random.pick([0, 10_000]),
    snapshotPercent: random.pick([0, 2, 20]),
    largePercent: random.pick([0, 0, 0, 5]),
    faults: {
      maxLatencyMs: random.pick([2, 20, 300]),
      loseRequest: maybe(20),
      loseAnswer: maybe(30),
      delayRequest: maybe(30),
      delayMs: random.pick([100, 20_000, 20_000]),
      repeatRequest: maybe(10),
      breakWatch: maybe(20),
      silenceWatch: maybe(20),
    },
    crash: maybe(8),
    cut: maybe(10),
    outage: maybe(6),
    compact: maybe(20),
  };
}

/** See the head of this file. `wrap` puts something around each node's client: a broken build. */
export class MetadataSim implements NodeWitness {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly trace: string[] = [];
  readonly options: MetadataSimOptions;
  readonly #random: SimRandom;
  readonly #logger: Logger;
  readonly #wrap: (store: EtcdStore) => EtcdStore;
  readonly #etcd: SimEtcd;
  readonly #faults: EtcdFaults;
  #nodes: MetadataNode[] = [];
  #recordIds = 0;
  #terms = 0;
  readonly #acknowledged = new Map<number, number>();
  readonly #refused = new Set<number>();
  /** The longest history that anybody has read. */
  readonly #history: number[] = [];

  constructor(seed: number, logger: Logger, wrap = (store: EtcdStore): EtcdStore => store) {
    this.#random = new SimRandom(seed);
    this.options = optionsOf(this.#random);
    this.#logger = logger;
    this.#wrap = wrap;
    this.#etcd = new SimEtcd(this.clock);
    this.#faults = { ...this.options.faults };
    this.#watchHead();
  }

  /** How many records were acknowledged, and in how many terms. */
  get counts(): { acknowledged: number; terms: number } {
    return { acknowledged: this.#acknowledged.size, terms: this.#terms };
  }

  run(): void {
    for (let id = 1; id <= this.options.nodes; id++) this.#start(id);
    for (let step = 0; step < this.options.steps; step++) {
      this.#happen();
      this.#advance(this.#random.below(STEP_MS_MAX));
    }
    this.#heal();
    this.#checkHistory();
  }

  note(line: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(1)} ${line}`);
  }

  #start(nodeId: number): void {
    const { clock } = this;
    const random = new SimRandom(this.#random.below(2 ** 31));
    const client = new SimEtcdClient(clock, random, this.#etcd, this.#faults);
    const store = this.#wrap(client);
    const logger = this.#logger;
    const node = new MetadataNode(nodeId, clock, random, logger, client, store, this, this.options);
    this.#nodes.push(node);
    void node.run().catch((error: unknown) => this.#fail(error));
  }

  #failure: unknown = null;

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #advance(byMs: number): void {
    this.clock.advance(byMs);
    for (const node of this.#nodes) node.check();
    if (this.#failure !== null) throw this.#failure;
  }

  #happen(): void {
    const random = this.#random;
    const { crash, cut, outage, compact } = this.options;
    const controller = this.#nodes.find(({ election }) => election?.term);
    const node = random.chance(50) && controller ? controller : random.pick(this.#nodes);
    if (random.chance(crash)) {
      this.note(`node ${node.nodeId} crashes`);
      node.crash();
      this.#nodes = this.#nodes.filter((each) => each !== node);
      this.#start(node.nodeId);
    }
    if (random.chance(cut)) {
      this.note(`node ${node.nodeId} is ${node.client.isCut ? "back" : "cut off"}`);
      node.client.isCut = !node.client.isCut;
    }
    if (random.chance(outage) && !this.#etcd.isDown) {
      this.note("etcd is down");
      this.#etcd.isDown = true;
      this.clock.setTimer(random.below(OUTAGE_MS_MAX), () => {
        this.note("etcd is up");
        this.#etcd.isDown = false;
      });
    }
    if (random.chance(compact)) this.#etcd.compact();
  }

  /** Nothing fails any more; what is acknowledged from now on shows that all goes on. */
  #heal(): void {
    this.note("all is well");
    Object.assign(this.#faults, NO_ETCD_FAULTS);
    this.#etcd.isDown = false;
    for (const node of this.#nodes) node.client.isCut = false;
    this.#advance(HEAL_MS / 2);
    const before = this.#acknowledged.size;
    this.#advance(HEAL_MS / 2);
    if (this.#acknowledged.size === before) throw new LivenessError("nothing is appended any more");
    const last = Math.min(...this.#nodes.map(({ records }) => records.length));
    if (last < before) {
      throw new LivenessError("a node has not read what was acknowledged long ago");
    }
  }

  #checkHistory(): void {
    const position = new Map<number, number>();
    this.#history.forEach((id, index) => {
      expect(!position.has(id), `record ${id} is in the log twice`);
      position.set(id, index + 1);
    });
    for (const [id, end] of this.#acknowledged) {
      const at = position.get(id);
      // The last ones may not have been read by anybody yet.
      if (at === undefined && end > this.#history.length) continue;
      expect(at !== undefined, `record ${id} was acknowledged and is not in the log`);
      expect(at <= end, `record ${id} is behind the position that was acknowledged`);
    }
    for (const id of this.#refused) {
      expect(!position.has(id), `record ${id} was refused and is in the log`);
    }
  }

  /** Every change of the head: it never goes back, and nobody appends once another is elected. */
  #watchHead(): void {
    const keys = new EtcdKeys(CLUSTER);
    let last = 0;
    let elected = 0;
    this.#etcd.watchers.add(({ key, entry }) => {
      if (entry === null) return;
      if (key === keys.term) elected = decodeTerm(entry.value);
      if (key !== keys.head) return;
      const { position, term } = decodeHead(entry.value);
      if (position < last) this.#fail(new Violation(`the log went back to ${position}`));
      if (position > last && term < elected) {
        this.#fail(new Violation(`an append of term ${term} came in term ${elected}`));
      }
      last = position;
    });
  }

  // What the nodes tell.

  nextRecordId(): number {
    return ++this.#recordIds;
  }

  appending(id: number): void {
    this.note(`record ${id} is appended`);
  }

  acknowledged(id: number, position: number): void {
    this.note(`record ${id} is acknowledged at ${position}`);
    this.#acknowledged.set(id, position);
  }

  refused(id: number): void {
    this.#refused.add(id);
  }

  elected(node: MetadataNode, term: number): void {
    this.note(`node ${node.nodeId} is elected for term ${term}`);
    const others = this.#nodes.filter((each) => each !== node && each.election?.term);
    if (others.length > 0) this.#fail(new Violation("two nodes hold the office"));
    if (term <= this.#terms) this.#fail(new Violation(`term ${term} comes after ${this.#terms}`));
    this.#terms = term;
  }

  read(node: MetadataNode, before: number): void {
    const { records } = node;
    for (let at = before; at < records.length; at++) {
      const id = idOf(records[at]!);
      this.#history[at] ??= id;
      if (this.#history[at] === id) continue;
      return this.#fail(new Violation(`node ${node.nodeId} reads another history at ${at}`));
    }
  }
}
