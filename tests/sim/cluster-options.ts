/** What a run of the simulated cluster is drawn from. */
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import type { Durability } from "../../storage/log-config.ts";
import type { LossMode } from "./faulty-disk.ts";
import { type EtcdFaults, NO_ETCD_FAULTS } from "./sim-etcd.ts";
import { FAIR, type Weather } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

/** What may happen. */
export type ClusterFault =
  | "kill"
  | "powerCut"
  | "reset"
  | "restart"
  | "rollingRestart"
  | "freeze"
  | "partition"
  | "cutOneWay"
  | "strand"
  | "slowNode"
  | "clockJump"
  | "fullDisk"
  | "join"
  | "deadDir"
  | "lostDir"
  | "flippedBit"
  | "etcdCut"
  | "etcdOutage"
  | "etcdCompact";

/** See the head of the file. */
export interface ClusterSimOptions {
  readonly brokers: number;
  /** So many of them are there at first; the others join, at the latest when all is well. */
  readonly begins: number;
  readonly replicationFactor: number;
  readonly minInsync: number;
  readonly durability: Durability;
  readonly partitions: number;
  /** Of each broker: 1 or 2. */
  readonly dataDirs: number;
  readonly writers: number;
  readonly transactors: number;
  readonly members: number;
  /** Of a share group. */
  readonly sharers: number;
  /** Brokers are in two racks, and somebody reads from the replicas in his (KIP-392). */
  readonly hasRacks: boolean;
  readonly gossips: boolean;
  /** Somebody makes and deletes topics, and moves partitions as well. */
  readonly hasOperator: boolean;
  readonly reassigns: boolean;
  /** In the end a broker goes, and the others have to do without it. */
  readonly losesOne: boolean;
  readonly pauseMs: number;
  readonly steps: number;
  /** On average. */
  readonly stepMs: number;
  readonly sessionMs: number;
  readonly leaseTtlMs: number;
  readonly restartMs: number;
  readonly rollMs: number;
  /** How far clocks run apart, in percent. */
  readonly driftPercent: number;
  readonly weather: Weather;
  readonly etcdFaults: EtcdFaults;
  readonly lossModes: readonly LossMode[];
  /** How often something happens in a step, in percent; then what, by weight. */
  readonly faultPercent: number;
  readonly weights: Readonly<Record<ClusterFault, number>>;
}

/** Some kinds of trouble are off, others extreme (swarm testing). */
export function drawClusterOptions(random: SimRandom): ClusterSimOptions {
  const maybe = (percent: number, value: number) => random.chance(percent) ? value : 0;
  const brokers = random.pick([3, 3, 3, 3, 4, 5, 5, 7, 9]);
  const begins = random.chance(30) ? random.between(1, brokers) : brokers;
  const stepMs = random.pick([150, 500, 1500]);
  const durability = random.chance(70) ? "fsync" : "os";
  const lossModes: LossMode[] = ["nothing", "everything", "prefix", "sectors"];
  return {
    brokers,
    begins,
    replicationFactor: Math.min(3, begins),
    minInsync: random.pick([1, 2, 2, 2]),
    durability,
    partitions: random.between(1, 4),
    writers: random.between(1, 3),
    transactors: random.between(0, 2),
    members: random.between(0, 3),
    sharers: random.pick([0, 0, 0, 1, 2]),
    hasRacks: random.chance(30),
    gossips: random.chance(30),
    hasOperator: random.chance(50),
    reassigns: random.chance(50),
    losesOne: random.chance(50) && begins >= 3,
    pauseMs: random.pick([30, 100, 300, 1000]),
    steps: Math.round(random.pick([10_000, 30_000, 60_000]) / stepMs / (brokers > 5 ? 2 : 1)),
    stepMs,
    sessionMs: random.pick([3000, 9000]),
    leaseTtlMs: random.pick([3000, 9000]),
    restartMs: random.pick([100, 3000, 10_000]),
    rollMs: random.pick([5000, 60_000, 604_800_000]),
    driftPercent: random.pick([0, 1, 5]),
    weather: drawWeather(random),
    etcdFaults: random.chance(50) ? NO_ETCD_FAULTS : {
      ...NO_ETCD_FAULTS,
      maxLatencyMs: random.pick([2, 50]),
      loseRequest: maybe(50, 5),
      loseAnswer: maybe(50, 5),
      breakWatch: maybe(50, 10),
      silenceWatch: maybe(50, 5),
    },
    lossModes: lossModes.filter(() => random.chance(60)).concat("sectors"),
    faultPercent: random.pick([5, 15, 40]),
    weights: {
      kill: maybe(70, 4),
      powerCut: maybe(60, 4),
      reset: maybe(30, 3),
      restart: maybe(60, 3),
      rollingRestart: maybe(30, 1),
      freeze: maybe(50, 3),
      partition: maybe(60, 3),
      cutOneWay: maybe(50, 3),
      strand: maybe(60, 4),
      slowNode: maybe(40, 2),
      clockJump: maybe(40, 1),
      // A process that ends for it must not be one too many.
      fullDisk: durability === "os" ? 0 : maybe(30, 2),
      join: begins < brokers ? 6 : 0,
      etcdCut: maybe(40, 2),
      etcdOutage: maybe(40, 1),
      etcdCompact: maybe(40, 1),
      // What a disk that fails has not synced is lost.
      deadDir: durability === "os" ? 0 : maybe(30, 2),
      lostDir: maybe(30, 2),
      flippedBit: maybe(30, 2),
    },
    dataDirs: random.pick([1, 1, 2]),
  };
}

/**
 * Short runs of three brokers with the named faults alone, many of them: what one kind of trouble does.
 * Throws if there is no such fault or durability. Nothing named: nothing is said.
 */
export function clusterFocus(faults?: string, durability?: string): Partial<ClusterSimOptions> {
  if (durability !== undefined && durability !== "fsync" && durability !== "os") {
    throw new Error("--durability is fsync or os");
  }
  const durable: Partial<ClusterSimOptions> = durability === undefined ? {} : { durability };
  if (faults === undefined) return durable;
  const names = faults.split(",");
  const none = drawClusterOptions(new SimRandom(1)).weights;
  const unknown = names.find((name) => !(name in none));
  if (unknown !== undefined) {
    throw new Error(`${unknown} is no fault; --faults has some of ${Object.keys(none).join()}`);
  }
  const weights = { ...none };
  for (const name of Object.keys(none)) {
    Object.assign(weights, { [name]: names.includes(name) ? 1 : 0 });
  }
  const size = {
    brokers: 3,
    begins: 3,
    replicationFactor: 3,
    minInsync: 2,
    steps: 40,
    stepMs: 500,
    faultPercent: 30,
  };
  return { ...size, ...durable, pauseMs: 100, hasOperator: false, losesOne: false, weights };
}

function drawWeather(random: SimRandom): Weather {
  if (random.chance(50)) return FAIR;
  return {
    latencyMinMs: 0.1,
    latencyMaxMs: random.pick([2, 20, 200]),
    lossPercent: random.pick([0, 1, 10]),
    duplicatePercent: random.pick([0, 5]),
  };
}

/** What the brokers of a run are configured with. */
export function clusterConfigs(
  options: ClusterSimOptions,
): Readonly<Partial<Record<BrokerConfigName, string>>> {
  const { sessionMs, minInsync, replicationFactor, rollMs, durability } = options;
  return {
    "broker.session.timeout.ms": String(sessionMs),
    "broker.heartbeat.interval.ms": String(Math.round(sessionMs / 6)),
    "min.insync.replicas": String(minInsync),
    "default.replication.factor": String(replicationFactor),
    "offsets.topic.num.partitions": "2",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "1",
    ...(options.hasRacks && {
      "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    }),
    "replica.lag.time.max.ms": "3000",
    "kstream.durability": durability,
    "log.roll.ms": String(rollMs),
    "log.cleaner.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
  };
}
