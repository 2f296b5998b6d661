/** Many gossiping members on simulated hosts, each with what it has heard. */
import { answerCall } from "../../cluster/gossip/exchange.ts";
import { encodeMeta, type Identity } from "../../cluster/gossip/codec.ts";
import { Envelope } from "../../cluster/gossip/envelope.ts";
import { FrameStream } from "../../cluster/gossip/frame-stream.ts";
import { Gossip } from "../../cluster/gossip/gossip.ts";
import type { GossipEvent, MemberMeta } from "../../cluster/gossip/member.ts";
import type { GossipOptions } from "../../cluster/gossip/settings.ts";
import { Swim } from "../../cluster/gossip/swim.ts";
import { TIMINGS } from "../../cluster/gossip/timings.ts";
import type { HostPort } from "../../core/io.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { SimClock } from "./sim-clock.ts";
import { type SimHost, SimHosts } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

/** The port of all members. */
export const PORT = 7_946;
const LABEL = "test";
const CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw";

/** An event with the time at which a member heard of it. */
export interface Heard {
  readonly atMs: number;
  readonly event: GossipEvent;
}

/** A member and its host. */
export interface SimMember {
  readonly nodeId: number;
  readonly host: SimHost;
  gossip: Gossip;
  /** What it has been told, since `forget`. */
  heard: Heard[];
}

/** See the head of this file. */
export class GossipWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly hosts: SimHosts;
  readonly members: SimMember[] = [];

  constructor(
    seed: number,
    readonly options: Partial<GossipOptions> = {},
    readonly logger: Logger = silentLogger,
  ) {
    this.random = new SimRandom(seed);
    this.hosts = new SimHosts(this.clock, this.random);
  }

  /** Starts a member on a host of its own; it is alone until it joins. */
  start(nodeId: number, options: Partial<GossipOptions> = {}): SimMember {
    const host = this.hosts.host(ipOf(nodeId));
    const member: SimMember = {
      nodeId,
      host,
      gossip: this.#gossip(nodeId, host, options),
      heard: [],
    };
    this.members.push(member);
    this.#listen(member);
    return member;
  }

  /** A new process on the host of a member whose old one is gone. */
  restart(member: SimMember, options: Partial<GossipOptions> = {}): void {
    member.gossip = this.#gossip(member.nodeId, member.host, options);
    member.heard = [];
    this.#listen(member);
  }

  /** Lets a member join by others, and waits until it has. */
  join(member: SimMember, ...by: readonly SimMember[]): boolean {
    return this.clock.run(member.gossip.join(by.map((other) => addressOf(other.nodeId))));
  }

  /** `count` members that know one another. */
  startCluster(count: number): void {
    for (let nodeId = 0; nodeId < count; nodeId++) this.start(nodeId);
    for (const member of this.members.slice(1)) this.join(member, this.members[0]!);
  }

  /**
   * As `startCluster`, for very many: each learns of all the others from one that knows them, rather
   * than by as many waves of news as there are members.
   */
  startLargeCluster(count: number): void {
    for (let nodeId = 0; nodeId < count; nodeId++) this.start(nodeId);
    const [first, second] = this.members;
    const teachers = [this.#teacher(first!), this.#teacher(second!)];
    const joins = this.members.map((member) =>
      member.gossip.join([teachers[member === first ? 1 : 0]!])
    );
    this.clock.run(Promise.all(joins));
    this.clock.advance(5_000);
    this.forget();
  }

  /** Seals packets as the members do, for strangers who know how. */
  packetEnvelope(): { seal: (payload: Uint8Array) => Uint8Array } {
    const keys = this.options.keys ?? [];
    const envelope = new Envelope(`packet\0${LABEL}\0${CLUSTER_ID}`, keys, this.random);
    return { seal: (payload) => envelope.seal(payload) };
  }

  /** Nothing was heard so far. */
  forget(): void {
    for (const member of this.members) member.heard = [];
  }

  /**
   * After how long the members have heard of what happens to one, in order: those that never have
   * are left out.
   */
  delays(since: number, kind: GossipEvent["kind"], nodeId: number): number[] {
    const delays: number[] = [];
    for (const { heard } of this.members) {
      const first = heard.find(({ event }) =>
        event.kind === kind && event.member.nodeId === nodeId
      );
      if (first !== undefined) delays.push(first.atMs - since);
    }
    return delays.sort((a, b) => a - b);
  }

  #gossip(nodeId: number, host: SimHost, options: Partial<GossipOptions>): Gossip {
    const process = host.start();
    const gossip = new Gossip(
      { ...process, random: this.random },
      {
        nodeId,
        clusterId: CLUSTER_ID,
        label: LABEL,
        bind: { host: host.ip, port: PORT },
        meta: metaOf(nodeId),
        ...this.options,
        ...options,
      },
      this.logger.with({ node: nodeId }),
    );
    this.clock.run(gossip.start());
    return gossip;
  }

  #listen(member: SimMember): void {
    member.gossip.onChange((event) => {
      member.heard.push({ atMs: this.clock.monotonicMs(), event });
    });
  }

  /** Answers state exchanges in the name of a member, as one that knows all members. */
  #teacher(as: SimMember): HostPort {
    const host = this.hosts.host(`10.255.0.${as.nodeId}`);
    const { clock, network } = host.start();
    const swim = new Swim({
      self: this.#identityOf(as),
      timings: TIMINGS.default,
      membersMax: 10_000,
      random: this.random,
    }, clock.monotonicMs());
    const others = this.members.filter((member) => member !== as);
    swim.merge(
      as.nodeId,
      others.map((member) => ({ state: "alive", identity: this.#identityOf(member), ageMs: 0 })),
      true,
      clock.monotonicMs(),
    );
    const parts = {
      swim,
      clusterId: CLUSTER_ID,
      membersMax: 10_000,
      nowMs: () => 0,
      merge: () => {},
    };
    const address = { host: host.ip, port: PORT };
    void network.listen(address, (socket) => {
      const stream = new FrameStream({
        clock,
        envelope: new Envelope(`frame\0${LABEL}`, this.options.keys ?? [], this.random),
        timeoutMs: 10_000,
        onBytes: () => {},
        onDropped: () => {},
      });
      stream.attach(socket);
      void answerCall(parts, stream, socket.remote);
      return stream.handlers;
    });
    return address;
  }

  #identityOf(member: SimMember): Identity {
    const [self] = member.gossip.members();
    const metaBytes = encodeMeta(metaOf(member.nodeId))!;
    return { ...self!, metaBytes };
  }
}

/** Metadata such as a broker has. */
export function metaOf(nodeId: number): MemberMeta {
  return {
    host: `host-${nodeId}`,
    rack: `rack-${nodeId % 3}`,
    listeners: [{ name: "PLAINTEXT", host: `host-${nodeId}.example.org`, port: 9_092 }],
    version: "0.1.0",
    loadPercent: 0,
  };
}

/** Where a member gossips. */
export function addressOf(nodeId: number): HostPort {
  return { host: ipOf(nodeId), port: PORT };
}

function ipOf(nodeId: number): string {
  return `10.0.${nodeId >> 8}.${nodeId & 255}`;
}
