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

/** An object of JSON, read field by field. */
class Fields {
  readonly #values: Map<string, unknown>;

  constructor(value: unknown) {
    assert(typeof value === "object" && value !== null, "a handover is an object");
    this.#values = new Map(Object.entries(value));
  }

  text(name: string): string {
    const value = this.#values.get(name);
    assert(typeof value === "string", `a handover has the text ${name}`);
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.#values.has(name) ? this.text(name) : undefined;
  }

  number(name: string): number {
    const value = this.#values.get(name);
    assert(typeof value === "number", `a handover has the number ${name}`);
    return value;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  list(name: string): string[] {
    const value = this.#values.get(name);
    assert(Array.isArray(value), `a handover has the list ${name}`);
    return value.map(String);
  }

  pairs(name: string): [string, string][] {
    const value = this.#values.get(name);
    assert(Array.isArray(value), `a handover has the list ${name}`);
    return value.map((pair: unknown) => {
      assert(Array.isArray(pair) && pair.length === 2, `${name} are pairs`);
      return [String(pair[0]), String(pair[1])];
    });
  }

  inner(name: string): Fields {
    return new Fields(this.#values.get(name));
  }

  optionalInner(name: string): Fields | null {
    return this.#values.get(name) === null ? null : this.inner(name);
  }
}
