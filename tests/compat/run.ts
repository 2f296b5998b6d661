/**
 * Runs the compatibility suites: `bun tests/compat/run.ts [--sample] [--control] [SUITE…]`. With
 * `--control` those run that can run against Apache Kafka itself, which proves the scenarios. A
 * suite whose needs cannot be had is skipped with the reason; in CI (`CI` is set) that is a failure.
 */
import type { CompatSuite } from "./suite.ts";
import { adminTools } from "./suites/admin-tools.ts";
import { CONTROL } from "./target.ts";
import { apacheKafka } from "./suites/apache-kafka.ts";
import { clientLibrary } from "./suites/client-library.ts";
import { connect } from "./suites/connect.ts";
import { connectData } from "./suites/connect-data.ts";
import { parquet } from "./suites/parquet.ts";
import { streamOperators } from "./suites/stream-operators.ts";
import { consumerGroupSemantics } from "./suites/consumer-group-semantics.ts";
import { differential } from "./suites/differential.ts";
import { etcd } from "./suites/etcd.ts";
import { groupSemantics } from "./suites/group-semantics.ts";
import { javaGroups } from "./suites/java-groups.ts";
import { telemetry } from "./suites/telemetry.ts";
import { javaShareGroups } from "./suites/java-share-groups.ts";
import { javaTools } from "./suites/java-tools.ts";
import { javaTransactions } from "./suites/java-transactions.ts";
import { javascriptClients } from "./suites/javascript-clients.ts";
import { kafkaStreams } from "./suites/kafka-streams.ts";
import { kcat } from "./suites/kcat.ts";
import { mirrors } from "./suites/mirror.ts";
import { npmPackage } from "./suites/npm-package.ts";
import { prometheus } from "./suites/prometheus.ts";
import { protocol } from "./suites/protocol.ts";
import { pythonClients } from "./suites/python-clients.ts";
import { security } from "./suites/security.ts";
import { shareGroupSemantics } from "./suites/share-group-semantics.ts";
import { streamGroups } from "./suites/stream-groups.ts";
import { streamJava } from "./suites/stream-java.ts";
import { streamsEos } from "./suites/streams-eos.ts";
import { shareGroups } from "./suites/share-groups.ts";
import { streamsGroupSemantics } from "./suites/streams-group-semantics.ts";
import { tlsListeners } from "./suites/tls-listeners.ts";
import { topicOperations } from "./suites/topic-operations.ts";
import { transactionSemantics } from "./suites/transaction-semantics.ts";

const COMPAT_SUITES: readonly CompatSuite[] = [
  protocol,
  clientLibrary,
  kcat,
  javascriptClients,
  pythonClients,
  javaTools,
  kafkaStreams,
  adminTools,
  apacheKafka,
  topicOperations,
  groupSemantics,
  consumerGroupSemantics,
  streamsGroupSemantics,
  transactionSemantics,
  shareGroups,
  shareGroupSemantics,
  differential,
  javaTransactions,
  javaGroups,
  telemetry,
  javaShareGroups,
  streamsEos,
  mirrors,
  connect,
  connectData,
  parquet,
  streamOperators,
  streamGroups,
  streamJava,
  security,
  tlsListeners,
  npmPackage,
  etcd,
  prometheus,
];

async function firstReason(suite: CompatSuite): Promise<string | null> {
  for (const need of suite.needs) {
    const reason = await need();
    if (reason !== null) return reason;
  }
  return null;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.find((name) => !COMPAT_SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined) {
    console.error(
      `compat: no suite ${unknown}; there are ${COMPAT_SUITES.map((s) => s.name).join(", ")}`,
    );
    return 2;
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of COMPAT_SUITES) {
    if (
      names.length > 0 ? !names.includes(suite.name) : args.includes("--sample") && !suite.inSample
    ) {
      continue;
    }
    if (CONTROL && suite.control !== true) continue;
    const reason = await firstReason(suite);
    if (reason !== null) {
      counts[process.env["CI"] ? "failed" : "skipped"] += suite.cases.length;
      console.log(`skip  ${suite.name}: ${reason}`);
      continue;
    }
    const sampled = args.includes("--sample");
    for (const { name, run, inSample } of suite.cases) {
      if (sampled && inSample === false) continue;
      const start = performance.now();
      try {
        await run();
        counts.passed++;
        console.log(`ok    ${suite.name}: ${name} (${Math.round(performance.now() - start)} ms)`);
      } catch (error) {
        counts.failed++;
        console.log(
          `FAIL  ${suite.name}: ${name}\n${error instanceof Error ? error.stack : error}`,
        );
      }
    }
  }
  console.log(
    `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`,
  );
  return counts.failed === 0 ? 0 : 1;
}

process.exit(await main());
