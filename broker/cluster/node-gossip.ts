/**
 * Gossip of a broker: it tells the others of its cluster who it is and how busy, and knows who of them
 * seems to be there. All of it is a hint; who is in the cluster is in the metadata. So no trouble with
 * it ever ends a broker: being refused, for one, is said in the log.
 */
import { Gossip } from "../../cluster/gossip/gossip.ts";
import {
  addressText,
  type GossipEvent,
  type Member,
  type MemberMeta,
} from "../../cluster/gossip/member.ts";
import type { HostPort, Io, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { ListenerInfo } from "../listeners.ts";
import type { ClusterGossip, ClusterOptions } from "./cluster-options.ts";
import { gossipKeys } from "./cluster-secret.ts";

/** How often a member says how busy it is, if that has changed. */
const LOAD_INTERVAL_MS = 10_000;
/** Loads are told in steps: each change goes to all members. */
const LOAD_STEP_PERCENT = 10;

/** Who gossips. */
export interface GossipingNode {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly rack: string | null;
  /** As they are bound. */
  readonly listeners: readonly ListenerInfo[];
}

type GossipIo = Pick<Io, "clock" | "random" | "network" | "datagrams">;

/** See the head of the file. */
export class NodeGossip {
  #timer: Timer | null = null;

  private constructor(
    private readonly io: GossipIo,
    private readonly logger: Logger,
    private readonly options: ClusterGossip,
    private readonly gossip: Gossip,
    private meta: MemberMeta,
  ) {}

  /** Binds its port and begins to join. Rejects with an `OperatorError` if it cannot be bound. */
  static async start(
    io: GossipIo,
    logger: Logger,
    node: GossipingNode,
    { name, host, secrets }: ClusterOptions,
    options: ClusterGossip,
  ): Promise<NodeGossip> {
    const meta: MemberMeta = {
      host,
      rack: node.rack,
      listeners: node.listeners.map(({ name, bound, advertised }) => ({
        name,
        host: advertised?.host ?? bound.host,
        port: advertised?.port || bound.port,
      })),
      version: options.version,
      loadPercent: 0,
    };
    const gossip = new Gossip(io, {
      nodeId: node.nodeId,
      clusterId: node.clusterId,
      label: name,
      bind: options.bind,
      advertise: options.advertise,
      meta,
      keys: gossipKeys(secrets, name),
      ...(options.timings === undefined ? {} : { timings: options.timings }),
    }, logger);
    await gossip.start();
    const started = new NodeGossip(io, logger, options, gossip, meta);
    gossip.onChange((event) => started.#say(event));
    started.#armLoad();
    void started.#join();
    return started;
  }

  /** Where it gossips. */
  get address(): HostPort {
    return this.gossip.address;
  }

  /** All members that are known, also those that failed or left lately; this one is first. */
  members(): Member[] {
    return this.gossip.members();
  }

  /** Calls back at each change. The returned function ends it. */
  onChange(listener: (event: GossipEvent) => void): () => void {
    return this.gossip.onChange(listener);
  }

  /** Says good-bye, which takes a moment at most, and ends. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.gossip.leave();
    this.gossip.close();
  }

  /** As when the process is killed: the others have to find out. */
  close(): void {
    this.#timer?.cancel();
    this.gossip.close();
  }

  async #join(): Promise<void> {
    const { join } = this.options;
    if (join.length === 0) return;
    try {
      const isWithOthers = await this.gossip.join(join);
      if (isWithOthers) return this.logger.info("gossips with the other members of the cluster");
      this.logger.warn("all join addresses are this node's own: others have to join it", {
        addresses: join.map(addressText).join(","),
      });
    } catch (error) {
      if (error instanceof OperatorError) {
        this.logger.error("gossip is refused", { why: error.message });
      }
    }
  }

  #say(event: GossipEvent): void {
    const { member } = event;
    const about = { node: member.nodeId, address: addressText(member.address) };
    if (event.kind === "conflict") {
      const other = addressText(event.other);
      return this.logger.warn("two members have one node id", { ...about, other });
    }
    if (event.kind === "joined" || event.kind === "left" || event.kind === "failed") {
      this.logger.info(`a member has ${event.kind}`, about);
    }
  }

  #armLoad(): void {
    this.#timer = this.io.clock.setTimer(LOAD_INTERVAL_MS, () => {
      const loadPercent = Math.round(this.options.loadPercent() / LOAD_STEP_PERCENT) *
        LOAD_STEP_PERCENT;
      if (loadPercent !== this.meta.loadPercent) {
        this.meta = { ...this.meta, loadPercent };
        this.gossip.updateMeta(this.meta);
      }
      this.#armLoad();
    });
  }
}
