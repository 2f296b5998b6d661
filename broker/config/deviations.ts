/**
 * Where our default is not Kafka's, and why. `docs/deviations.md` quotes this table; a test holds
 * the two together.
 */
import type { BrokerConfigName } from "./broker-configs.ts";

/** One default that differs. */
export interface DeviatingDefault {
  readonly value: string;
  readonly reason: string;
}

/** Our defaults of broker configs, where Kafka's differ or are demanded from the operator. */
export const DEVIATING_DEFAULTS: Readonly<Partial<Record<BrokerConfigName, DeviatingDefault>>> = {
  "process.roles": {
    value: "broker,controller",
    reason: "Kafka demands it; one kstream process is both",
  },
  "node.id": { value: "1", reason: "Kafka demands it; a single node needs no thought about it" },
  "controller.listener.names": {
    value: "CONTROLLER",
    reason:
      "Kafka demands it; there is no controller port, the name is only for tools that read it",
  },
  "listeners": {
    value: "PLAINTEXT://127.0.0.1:9092",
    reason: "without security, nobody but this host is served unless asked for",
  },
  "log.dir": { value: "data", reason: "data in /tmp is lost at a reboot" },
  "ssl.keystore.type": { value: "PEM", reason: "no other form is read" },
  "ssl.truststore.type": { value: "PEM", reason: "no other form is read" },
  "group.initial.rebalance.delay.ms": {
    value: "0",
    reason: "with one broker the first consumer of a group need not wait 3 s for others",
  },
  "offsets.topic.replication.factor": {
    value: "1",
    reason: "one broker holds one replica; a cluster takes 3, or as many as it has hosts",
  },
  "transaction.state.log.replication.factor": {
    value: "1",
    reason: "one broker holds one replica; a cluster takes 3, or as many as it has hosts",
  },
  "transaction.state.log.min.isr": {
    value: "1",
    reason: "one broker holds one replica; it is 2 where there are three",
  },
  "share.coordinator.state.topic.replication.factor": {
    value: "1",
    reason: "one broker holds one replica; a cluster takes 3, or as many as it has hosts",
  },
  "share.coordinator.state.topic.min.isr": {
    value: "1",
    reason: "one broker holds one replica; it is 2 where there are three",
  },
};
