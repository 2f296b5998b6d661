import { SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { silentLogger } from "../../core/logger.ts";
import { type LogUnderTest, metadataLogSuite } from "../metadata-log-suite.test-helper.ts";
import { openEtcdMetadataLog } from "./open-etcd.ts";

const CLUSTER = { cluster: "test", newClusterId: "AAAAAAAAAAAAAAAAAAAAEQ" };

async function subject(etcd: SimEtcd): Promise<LogUnderTest> {
  const random = new SimRandom(1);
  const store = new SimEtcdClient(bunClock, random, etcd);
  const world = { clock: bunClock, random, logger: silentLogger, store };
  const { log } = await openEtcdMetadataLog(world, CLUSTER);
  return { log, reopen: () => subject(etcd) };
}

metadataLogSuite("EtcdMetadataLog on a simulated etcd", () => subject(new SimEtcd(bunClock)));
