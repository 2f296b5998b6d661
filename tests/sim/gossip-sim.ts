/**
 * Gossip through trouble: members crash, lose power, stop for a while, leave and come back, links are
 * slow, lossy or cut in one direction or both, and clocks are wrong. What each member hears has to
 * make sense all the time; at the end all trouble stops, and then all have to agree on who is there.
 */
import { TIMINGS, type TimingsName } from "../../cluster/gossip/timings.ts";
import type { GossipEvent, Member, MemberState } from "../../cluster/gossip/member.ts";
import type { Logger } from "../../core/logger.ts";
import { addressOf, GossipWorld, metaOf, type SimMember } from "./gossip-world.ts";
import { FAIR } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";
import { expect, LivenessError } from "./violation.ts";

/** What a run is drawn from. */
interface Options {
  readonly members: number;
  readonly timings: TimingsName;
  readonly isSealed: boolean;
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly latencyMaxMs: number;
  readonly steps: number;
  readonly stepMsMax: number;
  readonly clockErrorMs: number;
}

/** How a process is, in truth. */
type Truth = "runs" | "stopped" | "crashed" | "left";

/** What is known in truth of a member, for the checks. */
interface Fact {
  readonly member: SimMember;
  truth: Truth;
  /** Raised at each change of its metadata. */
  load: number;
  /** What it has heard of others in this life. */
  seen: Map<number, MemberState>;
  /** Those that left for good, as it has heard: they must stay so. */
  farewells: Set<number>;
  /** With what it said good-bye, if it has: who was stopped meanwhile may hear of an earlier one. */
  leftWith: number | null;
}

/** Trouble has stopped: so many times the longest interval until all agree. */
const SETTLE_SYNCS = 12;

/** See the head of this file. */
export class GossipSim {
  readonly options: Options;
  readonly trace: string[] = [];
  readonly #random: SimRandom;
  readonly #world: GossipWorld;
  readonly #facts: Fact[] = [];

  constructor(seed: number, logger: Logger) {
    const random = new SimRandom(seed);
    this.#random = random;
    this.options = {
      members: random.pick([2, 3, 5, 9, 20]),
      timings: random.pick(["default", "lan"]),
      isSealed: random.chance(50),
      lossPercent: random.pick([0, 0, 5, 30]),
      duplicatePercent: random.pick([0, 10]),
      latencyMaxMs: random.pick([1, 20, 150]),
      steps: random.between(5, 30),
      stepMsMax: random.pick([200, 3_000, 20_000]),
      clockErrorMs: random.pick([0, 0, 60_000, 86_400_000]),
    };
    const { timings, isSealed } = this.options;
    this.#world = new GossipWorld(
      seed,
      { timings, keys: isSealed ? [random.bytes(16)] : [] },
      logger,
    );
    const { lossPercent, duplicatePercent, latencyMaxMs } = this.options;
    this.#world.hosts.weather = { ...FAIR, lossPercent, duplicatePercent, latencyMaxMs };
  }

  run(): void {
    for (let nodeId = 0; nodeId < this.options.members; nodeId++) this.#begin(nodeId);
    for (const fact of this.#facts) this.#join(fact);
    for (let step = 0; step < this.options.steps; step++) {
      this.#happen();
      this.#world.clock.advance(this.#random.below(this.options.stepMsMax));
    }
    this.#settle();
    this.#checkViews();
    this.#checkQuiet();
  }

  #begin(nodeId: number): void {
    const member = this.#world.start(nodeId, { meta: { ...metaOf(nodeId), loadPercent: 0 } });
    const fact: Fact = {
      member,
      truth: "runs",
      load: 0,
      seen: new Map(),
      farewells: new Set(),
      leftWith: null,
    };
    this.#facts.push(fact);
    this.#follow(fact);
  }

  #follow(fact: Fact): void {
    fact.member.gossip.onChange((event) => this.#check(fact, event));
  }

  /** In the background: it may have to wait for better times. */
  #join(fact: Fact): void {
    const others = this.#facts.filter((other) => other !== fact);
    fact.member.gossip.join(others.map(({ member }) => addressOf(member.nodeId)))
      .catch(() => {
        // Closed before it got through.
      });
  }

  #happen(): void {
    const random = this.#random;
    const fact = random.pick(this.#facts);
    const other = random.pick(this.#facts);
    const { hosts } = this.#world;
    switch (random.below(9)) {
      case 0:
        return this.#end(fact, "crashed", random.chance(50));
      case 1:
        return this.#end(fact, "left", false);
      case 2:
      case 3:
        return this.#return(fact);
      case 4:
        if (fact.truth !== "runs") return;
        this.#say(`${fact.member.nodeId} stops`);
        fact.member.host.stop();
        fact.truth = "stopped";
        return;
      case 5:
        return this.#update(fact);
      case 6:
        this.#say(`cut ${fact.member.nodeId} to ${other.member.nodeId}`);
        return hosts.cut(fact.member.host.ip, other.member.host.ip);
      case 7: {
        const side = this.#facts.filter(() => random.chance(40));
        this.#say(`partition ${side.map(({ member }) => member.nodeId).join()}`);
        return hosts.partition(new Map(side.map(({ member }) => [member.host.ip, 1])));
      }
      default:
        this.#say("heal");
        return hosts.heal();
    }
  }

  #end(fact: Fact, how: "crashed" | "left", losesPower: boolean): void {
    if (fact.truth !== "runs") return;
    const { nodeId, gossip, host } = fact.member;
    this.#say(`${nodeId} ${how}`);
    if (how === "left") {
      this.#world.clock.run(gossip.leave());
      fact.leftWith = gossip.members()[0]?.incarnation ?? null;
    }
    gossip.close();
    fact.truth = how;
    if (losesPower) host.cutPower();
    else host.kill();
  }

  /** A stopped process goes on, one that is gone comes back. */
  #return(fact: Fact): void {
    const { member } = fact;
    if (fact.truth === "runs") return;
    this.#say(`${member.nodeId} is back`);
    if (fact.truth === "stopped") {
      fact.truth = "runs";
      return member.host.resume();
    }
    const { clockErrorMs } = this.options;
    member.host.wallAheadMs = this.#random.below(2 * clockErrorMs + 1) - clockErrorMs;
    for (const { farewells } of this.#facts) farewells.delete(member.nodeId);
    this.#world.restart(member, { meta: { ...metaOf(member.nodeId), loadPercent: fact.load } });
    Object.assign(fact, { truth: "runs", seen: new Map(), farewells: new Set() });
    this.#follow(fact);
    this.#join(fact);
  }

  #update(fact: Fact): void {
    if (fact.truth !== "runs") return;
    fact.load++;
    this.#say(`${fact.member.nodeId} has load ${fact.load}`);
    const { nodeId, gossip } = fact.member;
    gossip.updateMeta({ ...metaOf(nodeId), loadPercent: fact.load });
  }

  /** What one hears of another has to follow from what it has heard before. */
  #check(fact: Fact, event: GossipEvent): void {
    const { nodeId, state } = event.member;
    const before = fact.seen.get(nodeId);
    const line = `${fact.member.nodeId} hears ${event.kind} ${nodeId}, was ${before ?? "unknown"}`;
    this.#say(line);
    const isPresent = before === "alive" || before === "suspect";
    switch (event.kind) {
      case "joined":
        expect(!isPresent, `joined again: ${line}`);
        expect(!fact.farewells.has(nodeId), `back from a good-bye: ${line}`);
        break;
      case "suspected":
        expect(before === "alive", `suspected out of turn: ${line}`);
        break;
      case "recovered":
        expect(before === "suspect", `recovered from nothing: ${line}`);
        break;
      case "updated":
        expect(isPresent, `updated while gone: ${line}`);
        break;
      case "failed":
        expect(isPresent || before === "left", `failed while gone: ${line}`);
        break;
      case "left":
        if (this.#isLast(event.member)) fact.farewells.add(nodeId);
        break;
      case "conflict":
        expect(false, `a conflict with nobody: ${line}`);
    }
    fact.seen.set(nodeId, state);
  }

  /** Whether it is the good-bye after which the member was not started again. */
  #isLast({ nodeId, incarnation }: Member): boolean {
    const { truth, leftWith } = this.#facts[nodeId]!;
    return truth === "left" && incarnation === leftWith;
  }

  /** No more trouble; all who do not run for good go on. */
  #settle(): void {
    this.#say("settle");
    this.#world.hosts.heal();
    this.#world.hosts.weather = FAIR;
    for (const fact of this.#facts) if (fact.truth === "stopped") this.#return(fact);
    this.#world.clock.advance(SETTLE_SYNCS * TIMINGS[this.options.timings].syncIntervalMs);
  }

  /** All who run see all who run, as they are, and agree on how the others went. */
  #checkViews(): void {
    const running = this.#facts.filter(({ truth }) => truth === "runs");
    const views = running.map(({ member }) =>
      member.gossip.members()
        // The last words of somebody who is gone may not have reached all.
        .map(({ nodeId, state, meta }) =>
          state === "alive" ? `${nodeId} alive ${meta.loadPercent}` : `${nodeId} ${state}`
        ).sort()
    );
    const [first = []] = views;
    for (const [index, view] of views.entries()) {
      const nodeId = running[index]?.member.nodeId;
      for (const { member, load } of running) {
        const line = `${member.nodeId} alive ${load}`;
        if (view.includes(line)) continue;
        throw new LivenessError(`${nodeId} does not see "${line}": ${view.join(", ")}`);
      }
      if (view.join() !== first.join()) {
        throw new LivenessError(
          `${nodeId} sees ${view.join(", ")}; others see ${first.join(", ")}`,
        );
      }
    }
  }

  /** With nothing wrong, nobody is suspected. */
  #checkQuiet(): void {
    this.#world.forget();
    this.#world.clock.advance(60_000);
    for (const { heard, nodeId } of this.#world.members) {
      expect(heard.length === 0, `${nodeId} hears of ${heard[0]?.event.kind} while all is well`);
    }
  }

  #say(line: string): void {
    this.trace.push(`${this.#world.clock.monotonicMs().toFixed(0)} ${line}`);
  }
}
