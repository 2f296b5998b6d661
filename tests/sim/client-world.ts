/** A whole broker on virtual time, with the client library on a network that can fail. */
import { Producer } from "../../client/producer.ts";
import type { ClientIo } from "../../client/options.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import { type RunningBroker, startBroker } from "../../broker/start-broker.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { noDatagrams } from "../../core/io/no-datagrams.test-helper.ts";
import type { HostPort, Network } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "./sim-clock.ts";
import { SimHosts } from "./sim-hosts.ts";
import { SimRandom } from "./sim-random.ts";

/** The network as one client has it. */
export interface SimClientNetwork extends Network {
  /** Breaks this client's connections; it may connect again. */
  breakAll(): void;
  /** From now on nothing arrives, in either direction, until `heal`. */
  isolate(): void;
  /** It can connect again; what it had is gone. */
  heal(): void;
}

/** What a client of this world is made with. */
export interface SimClientIo extends ClientIo {
  readonly network: SimClientNetwork;
}

const BROKER_IP = "127.0.0.1";

/** See the head of this file. */
export class ClientWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly hosts: SimHosts;
  readonly broker: RunningBroker;
  readonly brokers: readonly HostPort[];
  #clients = 0;

  constructor(
    seed: number,
    topics: Readonly<Record<string, number>>,
    configs: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  ) {
    const { clock } = this;
    this.random = new SimRandom(seed);
    this.hosts = new SimHosts(clock, this.random);
    this.broker = clock.run(startBroker({
      io: {
        clock,
        random: this.random,
        network: this.hosts.host(BROKER_IP).start().network,
        datagrams: noDatagrams,
        disk: new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1 << 28 }),
        offload: inlineOffload(),
      },
      logger: silentLogger,
      dataDir: "/data",
      config: BrokerConfig.of({
        "group.initial.rebalance.delay.ms": "0",
        ...configs,
      }),
      topics: Object.entries(topics).map(([name, numPartitions]) => ({
        name,
        numPartitions,
        replicationFactor: -1,
        assignments: [],
        configs: [],
      })),
    }));
    this.brokers = [{ host: BROKER_IP, port: this.broker.port }];
  }

  /** What a client needs, with connections of its own. */
  clientIo(): SimClientIo {
    const { clock, hosts, random } = this;
    const ip = `10.0.0.${++this.#clients}`;
    const host = hosts.host(ip);
    const breakAll = () => host.breakConnections();
    const network = {
      ...host.start().network,
      breakAll,
      isolate: () => hosts.isolate(ip),
      heal: () => {
        hosts.reconnect(ip);
        breakAll();
      },
    };
    return { clock, random, network };
  }

  /** Numbered values into partitions in turn: `from` to `from + count − 1`. */
  async produce(topic: string, partitions: number, from: number, count: number): Promise<void> {
    const producer = new Producer(this.clientIo(), { brokers: this.brokers });
    const encoder = new TextEncoder();
    await Promise.all(Array.from({ length: count }, (_, i) =>
      producer.send({
        topic,
        partition: (from + i) % partitions,
        value: encoder.encode(String(from + i)),
      })));
    await producer.close();
  }

  stop(): void {
    this.clock.run(this.broker.stop());
  }
}
