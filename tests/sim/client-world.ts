/** A whole broker on virtual time, with the client library on a network that can fail. */
import { Producer } from "../../client/producer.ts";
import type { ClientIo } from "../../client/options.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import { type RunningBroker, startBroker } from "../../broker/start-broker.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { noDatagrams } from "../../core/io/no-datagrams.test-helper.ts";
import type { HostPort } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { SimClock } from "./sim-clock.ts";
import { type SimClientNetwork, SimNetwork } from "./sim-network.ts";
import { SimRandom } from "./sim-random.ts";

/** What a client of this world is made with. */
export interface SimClientIo extends ClientIo {
  readonly network: SimClientNetwork;
}

/** See the head of this file. */
export class ClientWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly network: SimNetwork;
  readonly broker: RunningBroker;
  readonly brokers: readonly HostPort[];

  constructor(
    seed: number,
    topics: Readonly<Record<string, number>>,
    configs: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  ) {
    const { clock } = this;
    this.random = new SimRandom(seed);
    this.network = new SimNetwork(clock, this.random);
    this.broker = clock.run(startBroker({
      io: {
        clock,
        random: this.random,
        network: this.network,
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
    this.brokers = [{ host: "127.0.0.1", port: this.broker.port }];
  }

  /** What a client needs, with connections of its own. */
  clientIo(): SimClientIo {
    return { clock: this.clock, random: this.random, network: this.network.client() };
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
