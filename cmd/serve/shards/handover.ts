/**
 * What a supervisor tells a shard, in one line of JSON on its standard input: nothing of it is for the
 * environment or for the list of processes to show, least of all the secret.
 */
import { hostname } from "node:os";
import type { ClusterOptions } from "../../../broker/cluster/cluster-options.ts";
import { assert } from "../../../core/assert.ts";
import type { ElectedController } from "../../../cluster/controller-election.ts";
import type { ServeOptions, Supervision } from "../../serve.ts";
import type { Parent } from "../parent.ts";
import { Fields } from "./fields.ts";

/** The controller that shards have where there is no etcd. */
export interface ShardCluster {
  readonly clusterId: string;
  readonly controller: ElectedController;
  readonly secret: string;
  /** The name of the listener that shards use among themselves. */
  readonly listener: string;
}

/** See the head of the file. */
export interface Handover {
  readonly name: string;
  readonly options: ServeOptions;
  readonly configs: readonly (readonly [string, string])[];
  /** Null: as the options say. */
  readonly cluster: ShardCluster | null;
}

/** What a shard makes of it. */
export interface Received extends Supervision {
  readonly options: ServeOptions;
}

/** The line, with its newline. */
export function formatHandover(handover: Handover): string {
  return `${JSON.stringify(handover)}\n`;
}

/** Waits for the line. Rejects if the supervisor goes before. */
export async function receiveHandover(parent: Parent): Promise<Received> {
  const { name, options, configs, cluster } = parseHandover(await parent.firstLine);
  return {
    name,
    options,
    configs: new Map(configs),
    cluster: cluster === null ? null : clusterOptionsOf(options, cluster),
  };
}

function clusterOptionsOf(options: ServeOptions, cluster: ShardCluster): ClusterOptions {
  const { clusterId, controller, secret, listener } = cluster;
  return {
    name: "shards",
    quorum: { kind: "fixed", clusterId, controller },
    host: options.host ?? hostname(),
    interBrokerListener: listener,
    secrets: [secret],
    // All are on this host, and the controller knows them.
    gossip: null,
  };
}

/** Reads the line; what is not as `formatHandover` writes it is a bug of this program. */
export function parseHandover(line: string): Handover {
  const fields = new Fields(JSON.parse(line));
  const options = fields.inner("options");
  const cluster = fields.optionalInner("cluster");
  const controller = cluster?.inner("controller");
  const address = controller?.inner("address");
  return {
    name: fields.text("name"),
    options: optionsOf(options),
    configs: fields.pairs("configs"),
    cluster: cluster === null || controller === undefined || address === undefined ? null : {
      clusterId: cluster.text("clusterId"),
      controller: {
        nodeId: controller.number("nodeId"),
        term: controller.number("term"),
        address: { host: address.text("host"), port: address.number("port") },
      },
      secret: cluster.text("secret"),
      listener: cluster.text("listener"),
    },
  };
}

function optionsOf(fields: Fields): ServeOptions {
  const level = fields.text("logLevel");
  const logLevel = (["debug", "info", "warn", "error"] as const).find((each) => each === level);
  assert(logLevel !== undefined, "a handover has a log level");
  return {
    listen: fields.list("listen"),
    advertise: fields.list("advertise"),
    topic: fields.list("topic"),
    set: fields.list("set"),
    join: fields.list("join"),
    insecure: fields.flag("insecure"),
    admin: fields.optionalText("admin"),
    adminAuth: fields.flag("adminAuth"),
    adminCert: fields.optionalText("adminCert"),
    adminKey: fields.optionalText("adminKey"),
    connectUrl: fields.optionalText("connectUrl"),
    streamsHosts: fields.optionalText("streamsHosts"),
    streamsToken: fields.optionalText("streamsToken"),
    logLevel,
    logFormat: fields.text("logFormat") === "json" ? "json" : "text",
    cluster: fields.optionalText("cluster"),
    metadata: fields.optionalText("metadata"),
    nodeId: fields.optionalText("nodeId"),
    host: fields.optionalText("host"),
    gossipPort: fields.optionalText("gossipPort"),
    secretFile: fields.optionalText("secretFile"),
    clusterSecret: fields.optionalText("clusterSecret"),
    tlsCert: fields.optionalText("tlsCert"),
    tlsKey: fields.optionalText("tlsKey"),
    tlsCa: fields.optionalText("tlsCa"),
    timings: fields.optionalText("timings") === "lan" ? "lan" : undefined,
  };
}
