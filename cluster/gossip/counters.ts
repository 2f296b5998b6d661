/** What gossip counts, for metrics and for whoever looks for trouble. */
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { SwimCounters } from "./action.ts";
import type { Unopened } from "./envelope.ts";

/** Counted since the start, but for the last three, which are as of now. */
export interface GossipCounters extends Readonly<SwimCounters> {
  readonly packetsSent: number;
  readonly packetBytesSent: number;
  readonly packetsReceived: number;
  readonly packetBytesReceived: number;
  /** Packets that the system has refused. */
  readonly sendFailures: number;
  readonly streamBytesSent: number;
  readonly streamBytesReceived: number;
  /** State exchanges that this member began. */
  readonly exchanges: number;
  readonly failedExchanges: number;
  /** Packets and frames that were not read, by the reason. */
  readonly dropped: Readonly<Record<Unopened, number>>;
  /** 0 is healthy, 7 the worst: how much slower than others this member is. */
  readonly healthScore: number;
  readonly queuedNews: number;
  readonly clusterSize: number;
}

const LOG_INTERVAL_MS = 60_000;

const HINTS: Readonly<Record<Unopened, string>> = {
  malformed: "something that is no gossip comes to the gossip port",
  version: "a member speaks another version of the gossip protocol",
  network: "a member of another cluster gossips with this one; check its --join addresses",
  key: "a member has other gossip keys; give all members the same",
  replayed: "gossip packets came twice",
};

/** Counts of the driver; says at most once a minute of each kind of packet that it was dropped. */
export class Traffic {
  packetsSent = 0;
  packetBytesSent = 0;
  packetsReceived = 0;
  packetBytesReceived = 0;
  sendFailures = 0;
  streamBytesSent = 0;
  streamBytesReceived = 0;
  exchanges = 0;
  failedExchanges = 0;
  readonly dropped: Record<Unopened, number> = {
    malformed: 0,
    version: 0,
    network: 0,
    key: 0,
    replayed: 0,
  };
  readonly #saidMs: Partial<Record<Unopened, number>> = {};

  constructor(private readonly clock: Clock, private readonly logger: Logger) {}

  /** A packet or frame was not read. */
  drop(why: Unopened, from: string): void {
    this.dropped[why]++;
    // A network may repeat packets: that is no trouble.
    if (why === "replayed") return;
    const nowMs = this.clock.monotonicMs();
    const saidMs = this.#saidMs[why];
    if (saidMs !== undefined && nowMs - saidMs < LOG_INTERVAL_MS) return;
    this.#saidMs[why] = nowMs;
    this.logger.warn(HINTS[why], { from, dropped: this.dropped[why] });
  }

  /** Bytes of a stream, negative for those received. */
  streamBytes(count: number): void {
    if (count > 0) this.streamBytesSent += count;
    else this.streamBytesReceived -= count;
  }
}
