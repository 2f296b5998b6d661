/**
 * What replication costs: the same records into topics with one replica and with three, on three brokers
 * of ours and of Apache Kafka, in turn, acks=all.
 */
import { ratios, type Spread, spread } from "./measure.ts";
import { startKafkaCluster, startOurCluster } from "./targets.ts";
import { PASS, producePass, type Sample } from "./workloads.ts";

const KAFKA_PORT = 29292;

/** Of one pass through all four. */
interface Pass {
  readonly oursOnce: Sample;
  readonly ours: Sample;
  readonly kafkaOnce: Sample;
  readonly kafka: Sample;
}

/** What came of it. */
export interface ReplicationResult {
  readonly recordBytes: number;
  readonly recordsPerSecond: Readonly<Record<keyof Pass, Spread>>;
  /** Of all three brokers, for a GB that was produced. */
  readonly cpuSecondsPerGb: Readonly<Record<keyof Pass, Spread>>;
  /** Ours with three replicas over Kafka with three. */
  readonly throughputRatio: Spread;
  readonly cpuRatio: Spread;
  /** CPU for a GB that is stored, three replicas over one: ours, Kafka's. */
  readonly costOfReplicas: Spread;
  readonly kafkaCostOfReplicas: Spread;
}

/** Runs `pairs` passes after one that is not counted. */
export async function replication(pairs: number, scale: number): Promise<ReplicationResult> {
  const ours = await startOurCluster("os");
  const kafka = await startKafkaCluster(KAFKA_PORT);
  const passes: Pass[] = [];
  try {
    for (let pair = -1; pair < pairs; pair++) {
      const pass = {
        oursOnce: await producePass(ours, 1, scale),
        kafkaOnce: await producePass(kafka, 1, scale),
        ours: await producePass(ours, 3, scale),
        kafka: await producePass(kafka, 3, scale),
      };
      if (pair >= 0) passes.push(pass);
    }
  } finally {
    await Promise.all([ours.stop(), kafka.stop()]);
  }
  const result = resultOf(passes);
  console.log(JSON.stringify(result, null, 1));
  return result;
}

function resultOf(passes: readonly Pass[]): ReplicationResult {
  const pick = (key: keyof Pass, of: keyof Sample) => passes.map((pass) => pass[key][of]);
  const all = (of: keyof Sample) => ({
    oursOnce: spread(pick("oursOnce", of)),
    ours: spread(pick("ours", of)),
    kafkaOnce: spread(pick("kafkaOnce", of)),
    kafka: spread(pick("kafka", of)),
  });
  const cost = (thrice: keyof Pass, once: keyof Pass) =>
    ratios(pick(thrice, "cpuSecondsPerGb").map((cpu) => cpu / 3), pick(once, "cpuSecondsPerGb"));
  return {
    recordBytes: PASS.recordBytes,
    recordsPerSecond: all("recordsPerSecond"),
    cpuSecondsPerGb: all("cpuSecondsPerGb"),
    throughputRatio: ratios(pick("ours", "recordsPerSecond"), pick("kafka", "recordsPerSecond")),
    cpuRatio: ratios(pick("ours", "cpuSecondsPerGb"), pick("kafka", "cpuSecondsPerGb")),
    costOfReplicas: cost("ours", "oursOnce"),
    kafkaCostOfReplicas: cost("kafka", "kafkaOnce"),
  };
}
