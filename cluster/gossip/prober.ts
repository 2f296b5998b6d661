/**
 * Probes of members (SWIM, section 3.1): a ping, then pings by others and one over TCP, and at the
 * end of the interval a suspicion. It also pings for others who ask (`relay`), and says so if no
 * answer comes (Lifeguard's nack), by which they learn that it is not they who are slow.
 */
import type { HostPort, Random } from "../../core/io.ts";
import type { Action, SwimCounters } from "./action.ts";
import type { Message } from "./codec.ts";
import type { Health } from "./health.ts";
import type { Entry } from "./member-table.ts";
import type { Membership } from "./membership.ts";
import type { Timings } from "./timings.ts";

/** Most pings for others at a time. */
const RELAYS_MAX = 512;

/** A probe under way. */
interface Probe {
  readonly entry: Entry;
  readonly sequence: number;
  /** When others are asked; Infinity once they are. */
  indirectMs: number;
  readonly endMs: number;
  asked: number;
  nacks: number;
}

/** A ping for somebody else. */
interface Relay {
  readonly to: HostPort;
  readonly sequence: number;
  /** When a nack is due; Infinity once it is sent. */
  nackMs: number;
  readonly endMs: number;
}

/** What a prober is made of. */
export interface ProberParts {
  readonly timings: Timings;
  readonly random: Random;
  readonly health: Health;
  readonly counters: SwimCounters;
  readonly actions: Action[];
  readonly membership: Membership;
  readonly send: (to: HostPort, messages: readonly Message[]) => void;
}

/** See the head of this file. */
export class Prober {
  readonly #parts: ProberParts;
  #probe: Probe | null = null;
  #nextProbeMs: number;
  #sequence: number;
  readonly #relays = new Map<number, Relay>();

  constructor(parts: ProberParts, nowMs: number) {
    this.#parts = parts;
    const { random, timings } = parts;
    this.#sequence = random.below(0x1_0000_0000);
    this.#nextProbeMs = nowMs + random.below(Math.ceil(timings.probeIntervalMs));
  }

  /** When there is something to do. */
  get nextMs(): number {
    const probe = this.#probe;
    let next = probe === null ? this.#nextProbeMs : Math.min(probe.indirectMs, probe.endMs);
    for (const { nackMs, endMs } of this.#relays.values()) next = Math.min(next, nackMs, endMs);
    return next;
  }

  /** Does what is due. */
  wake(nowMs: number): void {
    this.#wakeRelays(nowMs);
    const probe = this.#probe;
    if (probe !== null && nowMs >= probe.endMs) this.#giveUp(probe, nowMs);
    else if (probe !== null && nowMs >= probe.indirectMs) this.#askOthers(probe, nowMs);
    if (this.#probe === null && nowMs >= this.#nextProbeMs) this.#begin(nowMs);
  }

  /** An answer to a ping of this member, direct, by others or over TCP. */
  ack(sequence: number): void {
    const relay = this.#relays.get(sequence);
    if (relay !== undefined) {
      this.#relays.delete(sequence);
      return this.#parts.send(relay.to, [{ type: "ack", sequence: relay.sequence }]);
    }
    if (this.#probe?.sequence !== sequence) return;
    this.#probe = null;
    this.#parts.health.change(-1);
  }

  /** Somebody whom this member has asked got no answer yet, but has heard the question. */
  nack(sequence: number): void {
    if (this.#probe?.sequence === sequence && this.#probe.nacks < this.#probe.asked) {
      this.#probe.nacks++;
    }
  }

  /** Pings a member for somebody else. */
  relay(from: HostPort, sequence: number, target: number, address: HostPort, nowMs: number): void {
    if (this.#relays.size >= RELAYS_MAX) return;
    const { probeIntervalMs, probeTimeoutMs } = this.#parts.timings;
    const own = this.#nextSequence();
    this.#relays.set(own, {
      to: from,
      sequence,
      nackMs: nowMs + probeTimeoutMs,
      endMs: nowMs + probeIntervalMs,
    });
    this.#parts.send(address, [{ type: "ping", sequence: own, target }]);
  }

  /** Drops the probe under way without a verdict: its answer may be waiting to be read. */
  abandon(nowMs: number): void {
    this.#probe = null;
    this.#nextProbeMs = nowMs + this.#parts.timings.probeIntervalMs;
  }

  #begin(nowMs: number): void {
    const { timings, health, membership, counters, send } = this.#parts;
    const intervalMs = timings.probeIntervalMs * health.multiplier;
    this.#nextProbeMs = nowMs + intervalMs;
    if (membership.isLeaving) return;
    const entry = membership.table.nextTurn();
    if (entry === null) return;
    counters.probes++;
    const sequence = this.#nextSequence();
    this.#probe = {
      entry,
      sequence,
      indirectMs: nowMs + timings.probeTimeoutMs * health.multiplier,
      endMs: nowMs + intervalMs,
      asked: 0,
      nacks: 0,
    };
    const ping: Message = { type: "ping", sequence, target: entry.nodeId };
    send(entry.address, entry.state === "suspect" ? [this.#accusation(entry), ping] : [ping]);
  }

  #askOthers(probe: Probe, nowMs: number): void {
    const { timings, membership, actions, send } = this.#parts;
    const { entry, sequence } = probe;
    const { nodeId: target, address } = entry;
    probe.indirectMs = Infinity;
    const others = membership.table.draw(
      timings.indirectProbes,
      (other) => other !== entry && other.state === "alive",
    );
    probe.asked = others.length;
    for (const other of others) {
      send(other.address, [{ type: "pingRequest", sequence, target, address }]);
    }
    const timeoutMs = probe.endMs - nowMs;
    actions.push({ kind: "streamPing", address, target, sequence, timeoutMs });
  }

  #giveUp(probe: Probe, nowMs: number): void {
    const { counters, health, membership } = this.#parts;
    this.#probe = null;
    counters.failedProbes++;
    health.change(probe.asked > 0 ? probe.asked - probe.nacks : 1);
    // It may have failed or left, or said that it is alive, in the meantime: the claim is then old.
    membership.apply(this.#accusation(probe.entry), nowMs);
  }

  #accusation(entry: Entry) {
    const { nodeId, incarnation } = entry;
    const from = this.#parts.membership.self.nodeId;
    return { type: "suspect", nodeId, incarnation, from } as const;
  }

  #wakeRelays(nowMs: number): void {
    for (const [sequence, relay] of this.#relays) {
      if (nowMs >= relay.nackMs) {
        relay.nackMs = Infinity;
        this.#parts.send(relay.to, [{ type: "nack", sequence: relay.sequence }]);
      }
      if (nowMs >= relay.endMs) this.#relays.delete(sequence);
    }
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) % 0x1_0000_0000;
    return this.#sequence;
  }
}
