/** Random topologies and inputs, from a seed. */
import { SimRandom } from "../../sim/sim-random.ts";
import { drawJoin } from "./join-cases.ts";
import { drawProcessor, drawTransform } from "./processor-cases.ts";
import { drawCogroup, drawSuppress, drawWindowed, drawWindows } from "./window-cases.ts";

/** A step of a topology: what `op` does is in `ours.ts` and in StreamsOracle.java. */
export interface Step {
  readonly op: string;
  readonly id: string;
  /** The step that it is behind. */
  readonly of?: string;
  readonly with?: string;
  readonly topic?: string;
  readonly name?: string;
  readonly fn?: string;
  /** Of windows. */
  readonly sizeMs?: number;
  readonly advanceMs?: number;
  readonly graceMs?: number;
  /** Of versioned stores. */
  readonly historyMs?: number;
  /** Of joins of streams. */
  readonly beforeMs?: number;
  readonly afterMs?: number;
  /** Of the key that a join looks up. */
  readonly keyFn?: string;
  readonly windows?: string;
  /** How it is added up in them. */
  readonly by?: string;
  /** What comes of windows is given on when they close. */
  readonly closes?: boolean;
  /** Of streams that are added up together. */
  readonly groups?: readonly string[];
  /** Of what holds changes back. */
  readonly limitMs?: number;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  readonly isEager?: boolean;
  /** Of a processor: it is called as stream time passes, or by the wall clock. */
  readonly ticks?: boolean;
  readonly wallTicks?: boolean;
  /** Changes of its store are not gathered. */
  readonly uncached?: boolean;
  /** How long windows are kept, beyond the least. */
  readonly moreMs?: number;
}

export interface Input {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
  /** How long after it the wall clock stands still. */
  readonly waitMs?: number;
}

export interface Case {
  readonly steps: readonly Step[];
  readonly inputs: readonly Input[];
  /** How often, by the wall clock, outer joins look for windows that are closed. */
  readonly joinEmitIntervalMs: number;
}

const PREDICATES = ["long", "keyed", "has-b", "never"];
const KEYS = ["first", "same", "value", "one"];
const MAPPERS = ["upper", "with-key", "null-if-b"];
const FLAT = ["none", "twice", "letters"];
const JOINERS = ["both", "left", "null-if-b"];
const ADDERS = ["concat", "last", "null-if-b"];

/** Steps whose stores may be versioned. */
const VERSIONED =
  /^(table|toTable|reduce|aggregate|table(Filter|FilterNot|MapValues|TransformValues|.*Join)|group(Reduce|Aggregate)|foreign.*)$/;

/** Steps whose stores may gather changes. */
const KEPT = new RegExp(`${VERSIONED.source}|^(windows|cogroup)$`);

/** A case that is being drawn, as those see it who draw a family of steps. */
export interface CaseDraw {
  readonly streams: string[];
  readonly tables: string[];
  readonly globals: string[];
  /** Topics that records are written to. */
  readonly inputs: string[];
  /** Tables whose keys are of windows. */
  readonly windowed: string[];
  /** How many steps there are. */
  readonly count: number;
  below(bound: number): number;
  pick<T>(values: readonly T[]): T;
  add(op: string, rest: Omit<Step, "op" | "id">): string;
  /** A stream behind another one, whose keys are as trustworthy. */
  behind(op: string, of: string, rest: Omit<Step, "op" | "id" | "of">): string;
  /**
   * Whether records of one input come to both, to one of them through a topic between: which of those of
   * the same time is first is not defined then.
   */
  isRace(one: string, other: string): boolean;
  shareInput(one: string, other: string): boolean;
  /** Of a table's own store; null: it is not versioned. */
  historyMsOf(table: string): number | null;
  /** Whether records come through a topic between. */
  isMoved(id: string): boolean;
  /** A stream whose keys are not those of its topics. */
  rekeyed(id: string): void;
  /** By which two tables write their keys alike. */
  kindOfWindows(table: string): string;
  /** Has the wall clock go on between inputs. */
  waits(): void;
  /** Has stream time go far between inputs. */
  leaps(): void;
}

/** Draws cases. */
export class Cases {
  readonly #random: SimRandom;
  #steps: Step[] = [];
  /** Ids of streams, and of those whose keys are not those of their topics. */
  #streams: string[] = [];
  #tables: string[] = [];
  readonly #rekeyed = new Set<string>();
  #inputs: string[] = [];
  #globals: string[] = [];
  #windowed: string[] = [];
  #isWaiting = false;
  #isLeaping = false;

  constructor(seed: number) {
    this.#random = new SimRandom(seed);
  }

  next(): Case {
    this.#steps = [];
    this.#streams = [];
    this.#tables = [];
    this.#rekeyed.clear();
    this.#inputs = [];
    this.#globals = [];
    this.#windowed = [];
    this.#isWaiting = false;
    this.#isLeaping = false;
    for (let i = 0; i <= this.#random.below(2); i++) this.#source(`in-${i}`);
    // Windows come to be late otherwise, and little is drawn behind them.
    if (this.#random.below(3) === 0) {
      for (let i = 0; i <= this.#random.below(2); i++) {
        drawWindows(this.#draw(), this.#group(this.#pick(this.#streams)));
      }
    }
    for (let i = 0; i < 1 + this.#random.below(7); i++) {
      const kind = this.#random.below(20);
      if (kind < 4) drawJoin(this.#draw());
      else if (kind < 7) drawProcessor(this.#draw());
      else if (this.#windowed.length > 0 && this.#random.below(2) === 0) drawWindowed(this.#draw());
      else if (this.#tables.length > 0 && this.#random.below(2) === 0) this.#tableStep();
      else this.#step();
    }
    for (const of of this.#windowed.slice(-2)) {
      this.#streams.push(this.#add("windowText", { of }));
    }
    for (const of of this.#tables.slice(-2)) this.#streams.push(this.#add("toStream", { of }));
    for (const of of this.#streams.slice(-3)) this.#sink(of);
    const joinEmitIntervalMs = this.#random.below(2) * 1000;
    let isTicking = false;
    const steps = this.#steps.map((step) => {
      if (this.#mayTick(step)) return { ...step, ticks: true };
      // Which of several would be first is not defined.
      if (!this.#isWaiting || isTicking || step.op !== "process") return step;
      isTicking = true;
      return { ...step, wallTicks: true };
    });
    return { steps, inputs: this.#drawInputs(), joinEmitIntervalMs };
  }

  /** Kafka's test driver has one task for all subtopologies, and so one stream time. */
  #mayTick({ op, id }: Step): boolean {
    const before = this.#upstreamOf(id).filter((step) => step.id !== id);
    return op === "process" && this.#inputs.length === 1 && !this.#isMoved(before);
  }

  #draw(): CaseDraw {
    return {
      ...{ streams: this.#streams, tables: this.#tables, globals: this.#globals },
      ...{ inputs: this.#inputs, windowed: this.#windowed, count: this.#steps.length },
      below: (bound) => this.#random.below(bound),
      pick: (values) => this.#pick(values),
      add: (op, rest) => this.#add(op, rest),
      behind: (op, of, rest) => this.#behind(op, of, rest),
      rekeyed: (id) => {
        this.#streams.push(id);
        this.#rekeyed.add(id);
      },
      leaps: () => void (this.#isLeaping = true),
      isRace: (one, other) => {
        const [left, right] = [this.#upstreamOf(one), this.#upstreamOf(other)];
        const isMoved = this.#isMoved(left) || this.#isMoved(right);
        return isMoved && this.#shareInput(left, right);
      },
      kindOfWindows: (table) => {
        const { windows, sizeMs } = this.#upstreamOf(table).find(({ op }) => op === "windows") ??
          {};
        return `${windows} ${windows === "session" ? "" : sizeMs}`;
      },
      historyMsOf: (table) => this.#steps.find(({ id }) => id === table)?.historyMs ?? null,
      shareInput: (one, other) => {
        return this.#shareInput(this.#upstreamOf(one), this.#upstreamOf(other));
      },
      isMoved: (id) => this.#isMoved(this.#upstreamOf(id)),
      waits: () => void (this.#isWaiting = true),
    };
  }

  #shareInput(one: readonly Step[], other: readonly Step[]): boolean {
    const inputs = one.map(({ topic }) => topic);
    return other.some(({ topic }) => topic !== undefined && inputs.includes(topic));
  }

  #isMoved(steps: readonly Step[]): boolean {
    return steps.some(({ id, op }) =>
      this.#rekeyed.has(id) || /^(repartition|group|tableGroup|foreign)/.test(op)
    );
  }

  /** A step and all that are before it. */
  #upstreamOf(id: string): Step[] {
    const step = this.#steps.find((each) => each.id === id.split(".")[0]);
    if (step === undefined) return [];
    const parents = [step.of, step.with, ...step.groups ?? []].filter((of) => of !== undefined);
    return [step, ...parents.flatMap((of) => this.#upstreamOf(of))];
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random.below(values.length)]!;
  }

  #add(op: string, rest: Omit<Step, "op" | "id">): string {
    const id = `s${this.#steps.length}`;
    const isVersioned = rest.name !== undefined && VERSIONED.test(op) &&
      this.#random.below(3) === 0;
    const history = isVersioned ? { historyMs: this.#random.below(200) } : {};
    const isUncached = rest.name !== undefined && KEPT.test(op) && this.#random.below(4) === 0;
    const uncached = isUncached && !isVersioned ? { uncached: true } : {};
    this.#steps.push({ op, id, ...rest, ...history, ...uncached });
    return id;
  }

  /** A stream behind another one, whose keys are as trustworthy. */
  #behind(op: string, of: string, rest: Omit<Step, "op" | "id" | "of">, isRekeyed = false): string {
    const id = this.#add(op, { of, ...rest });
    this.#streams.push(id);
    if (isRekeyed || this.#rekeyed.has(of)) this.#rekeyed.add(id);
    return id;
  }

  #source(topic: string): void {
    this.#inputs.push(topic);
    const kind = this.#random.below(8);
    if (kind === 0) {
      this.#inputs.push(`${topic}-too`);
      this.#streams.push(this.#add("streamSeveral", { topic }));
    } else if (kind < 4) {
      this.#streams.push(this.#add("stream", { topic }));
    } else {
      const table = this.#add("table", { topic, name: `table-of-${topic}` });
      this.#tables.push(table);
      this.#streams.push(this.#add("toStream", { of: table }));
    }
  }

  #step(): void {
    const of = this.#pick(this.#streams);
    switch (this.#random.below(14)) {
      case 0:
        return void this.#behind("filter", of, { fn: this.#pick(PREDICATES) });
      case 1:
        return void this.#behind("filterNot", of, { fn: this.#pick(PREDICATES) });
      case 2:
        return void this.#behind("map", of, { fn: this.#pick(KEYS) }, true);
      case 3:
        return void this.#behind("mapValues", of, { fn: this.#pick(MAPPERS) });
      case 4:
        return void this.#behind("flatMap", of, { fn: this.#pick(FLAT) }, true);
      case 5:
        return void this.#behind("flatMapValues", of, { fn: this.#pick(FLAT) });
      case 6:
        return void this.#behind("selectKey", of, { fn: this.#pick(KEYS) }, true);
      case 7: {
        const other = this.#pick(this.#streams);
        if (other === of) return;
        const id = this.#behind("merge", of, { with: other }, this.#rekeyed.has(other));
        return void id;
      }
      case 8: {
        const op = this.#pick(["split", "splitTwo"]);
        const second = op === "split" ? {} : { keyFn: this.#pick(PREDICATES) };
        const id = this.#add(op, { of, fn: this.#pick(PREDICATES), ...second });
        for (const branch of [`${id}.yes`, `${id}.no`]) {
          this.#streams.push(branch);
          if (this.#rekeyed.has(of)) this.#rekeyed.add(branch);
        }
        return;
      }
      case 9:
        return void this.#streams.push(
          this.#add("repartition", { of, name: `through-${this.#steps.length}` }),
        );
      default:
        return this.#aggregate(of);
    }
  }

  #aggregate(of: string): void {
    const group = this.#group(of);
    const store = `store-${this.#steps.length}`;
    if (this.#random.below(5) === 0) {
      // What goes through two topics between may come in either order.
      const direct = this.#streams.filter((id) => !this.#isMoved(this.#upstreamOf(id)));
      const others = Array.from({ length: direct.length === 0 ? 0 : this.#random.below(3) }, () => {
        return this.#add("groupByKey", { of: this.#pick(direct), name: "none" });
      });
      return drawCogroup(this.#draw(), [group, ...others]);
    }
    if (this.#random.below(2) === 0) return drawWindows(this.#draw(), group);
    if (this.#random.below(3) === 0) {
      this.#streams.push(this.#add("count", { of: group, name: store }));
      return;
    }
    const op = this.#pick(["reduce", "aggregate"]);
    this.#tables.push(this.#add(op, { of: group, name: store, fn: this.#pick(ADDERS) }));
  }

  #group(of: string): string {
    const name = `by-${this.#steps.length}`;
    return this.#random.below(2) === 0
      ? this.#add("groupByKey", { of, name })
      : this.#add("groupBy", { of, name, fn: this.#pick(KEYS) });
  }

  #tableStep(): void {
    const of = this.#pick(this.#tables);
    const kept = this.#random.below(2) === 0 ? { name: `kept-${this.#steps.length}` } : {};
    switch (this.#random.below(8)) {
      case 7:
        return drawTransform(this.#draw(), of);
      case 6:
        return void this.#behind("toStreamKeyed", of, { fn: this.#pick(KEYS) }, true);
      case 5:
        return drawSuppress(this.#draw(), of);
      case 4:
        return this.#groupTable(of);
      case 0: {
        const op = this.#pick(["tableFilter", "tableFilterNot"]);
        return void this.#tables.push(this.#add(op, { of, fn: this.#pick(PREDICATES), ...kept }));
      }
      case 1: {
        const fn = this.#pick(MAPPERS);
        return void this.#tables.push(this.#add("tableMapValues", { of, fn, ...kept }));
      }
      default: {
        const other = this.#pick(this.#tables);
        const op = this.#pick(["tableJoin", "tableLeftJoin", "tableOuterJoin"]);
        const joins = { of, with: other, fn: this.#pick(JOINERS), ...kept };
        return void this.#tables.push(this.#add(op, joins));
      }
    }
  }

  #groupTable(of: string): void {
    const name = `grouped-${this.#steps.length}`;
    const group = this.#add("tableGroupBy", { of, name, fn: this.#pick(KEYS) });
    const store = `store-${this.#steps.length}`;
    if (this.#random.below(3) === 0) {
      this.#streams.push(this.#add("groupCount", { of: group, name: store }));
      return;
    }
    const op = this.#pick(["groupReduce", "groupAggregate"]);
    this.#tables.push(this.#add(op, { of: group, name: store, fn: this.#pick(ADDERS) }));
  }

  #sink(of: string): void {
    this.#add("to", { of, topic: `out-${of.replace(".", "-")}` });
  }

  /** Out of order, with keys and values that are missing. */
  #drawInputs(): Input[] {
    let nowMs = 1000;
    return Array.from({ length: 5 + this.#random.below(25) }, () => {
      const isFar = this.#isLeaping && !this.#isWaiting && this.#random.below(25) === 0;
      nowMs += isFar ? this.#random.below(200_000) : this.#random.below(50);
      return {
        topic: this.#pick(this.#inputs),
        key: this.#random.below(8) === 0 ? null : this.#pick(["a", "b", "c"]),
        value: this.#random.below(8) === 0 ? null : this.#word(),
        timestampMs: Math.max(0, nowMs - this.#random.below(120)),
        ...(this.#isWaiting && { waitMs: this.#random.below(3) * 400 }),
      };
    });
  }

  #word(): string {
    return Array.from({ length: this.#random.below(4) }, () => this.#pick(["a", "b", "c"])).join(
      "",
    );
  }
}
