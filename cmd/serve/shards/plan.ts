/** What each of the shards of `serve --shards N` is started with: one range of ports, data of its own. */
import type { BrokerConfig } from "../../../broker/config/broker-config.ts";
import { formatAddress, type ListenerSpec } from "../../../broker/listeners.ts";
import type { HostPort } from "../../../core/io.ts";
import type { ServeOptions } from "../../serve.ts";
import { parseAdminAddress } from "../admin-address.ts";
import { NODE_ID_MAX, refuse } from "../cluster-flags.ts";
import { gossipPortFor } from "../cluster-member.ts";
import { chooseListeners, dataDirsOf } from "../config-texts.ts";
import type { ShardAddresses } from "./shard-process.ts";
import { shardDir, shardName } from "./layout.ts";

/** One shard. */
export interface ShardPlan {
  readonly name: string;
  readonly nodeId: number;
  /** Its data directories. */
  readonly dirs: readonly string[];
  readonly options: ServeOptions;
  readonly configs: readonly (readonly [string, string])[];
}

/** What is planned from. */
export interface ShardPlanOptions {
  readonly options: ServeOptions;
  /** All configs by name, and what they say. */
  readonly texts: ReadonlyMap<string, string>;
  readonly config: BrokerConfig;
  readonly shards: number;
  /** The id of the first shard; the others follow it. */
  readonly firstNodeId: number;
}

const PORT_MAX = 65_535;
/** Configs that flags say for each shard. */
const SAID_BY_FLAGS = ["listeners", "advertised.listeners", "log.dir"];

/** The shards in their order. Throws an `OperatorError` (usage) where they would be in each other's way. */
export function planShards(from: ShardPlanOptions): ShardPlan[] {
  const listeners = chooseListeners(from.options, from.config);
  const plans = Array.from({ length: from.shards }, (_, index) => plan(from, listeners, index));
  refuseOverlap(plans);
  return plans;
}

function plan(
  from: ShardPlanOptions,
  listeners: readonly ListenerSpec[],
  index: number,
): ShardPlan {
  const { options, texts, config, firstNodeId, shards } = from;
  const nodeId = firstNodeId + index;
  if (nodeId >= NODE_ID_MAX) {
    throw refuse(`${shards} shards from node id ${firstNodeId} on are too many`, "", "begin lower");
  }
  const dirs = dataDirsOf(config).map((dir) => shardDir(dir, index));
  const configs = new Map(texts);
  for (const name of SAID_BY_FLAGS) configs.delete(name);
  configs.set("node.id", String(nodeId));
  configs.set("log.dirs", dirs.join(","));
  configs.set("kstream.shards", String(shards));
  return {
    name: shardName(index),
    nodeId,
    dirs,
    configs: [...configs],
    options: {
      ...flagsForAll(options),
      listen: listeners.map(({ name, bind }) => `${name}=${formatAddress(later(bind, index))}`),
      advertise: listeners.flatMap(({ name, advertised }) =>
        advertised === null ? [] : [`${name}=${formatAddress(later(advertised, index))}`]
      ),
      admin: adminOf(options.admin, index),
      ...(options.cluster === undefined ? {} : gossipOf(options, listeners, shards, index)),
    },
  };
}

/** What is the same for all; the rest is for the supervisor, or for one of them. */
function flagsForAll(options: ServeOptions): ServeOptions {
  const { insecure, logLevel, logFormat, cluster, metadata, host } = options;
  const { secretFile, clusterSecret, timings, tlsCert, tlsKey, tlsCa } = options;
  const { adminAuth, adminCert, adminKey, connectUrl, streamsHosts, streamsToken } = options;
  return {
    ...{
      insecure,
      logLevel,
      logFormat,
      cluster,
      metadata,
      host,
      secretFile,
      clusterSecret,
      timings,
      tlsCert,
      tlsKey,
      tlsCa,
      adminAuth: adminAuth === true,
      adminCert,
      adminKey,
      connectUrl,
      streamsHosts,
      streamsToken,
    },
    ...{ listen: [], advertise: [], topic: [], set: [], join: options.join },
  };
}

/** The address of the shard at `index`, from that of the first; any port stays any. */
function later(address: HostPort, index: number): HostPort {
  const port = address.port === 0 ? 0 : address.port + index;
  if (port <= PORT_MAX) return { ...address, port };
  throw refuse(
    `there is no port for ${shardName(index)}`,
    `it would be ${port}, after ${formatAddress(address)} of the first`,
    "begin with a lower port",
  );
}

/** Without an address the first one takes the usual port, the others any. */
function adminOf(text: string | undefined, index: number): string | undefined {
  const admin = parseAdminAddress(text ?? null);
  if (admin === "off") return "off";
  if (admin === "default") return index === 0 ? undefined : "127.0.0.1:0";
  return formatAddress(later(admin, index));
}

/** The shards meet one another, whomever else they join. */
function gossipOf(
  { gossipPort, join }: ServeOptions,
  listeners: readonly ListenerSpec[],
  shards: number,
  index: number,
): Pick<ServeOptions, "gossipPort" | "join"> {
  const [first] = listeners;
  const from = gossipPort === undefined ? gossipPortFor(first?.bind.port ?? 0) : Number(gossipPort);
  if (first === undefined || from === 0 || !Number.isInteger(from)) return { gossipPort, join };
  const { host } = first.advertised ?? first.bind;
  const ports = Array.from({ length: shards }, (_, each) => later({ host, port: from }, each));
  return {
    gossipPort: String(ports[index]?.port ?? from),
    join: [...join, ...ports.filter((_, each) => each !== index).map(formatAddress)],
  };
}

/** The options with the ports that the system has chosen, so that a new start comes back to them. */
export function withPorts(options: ServeOptions, at: ShardAddresses): ServeOptions {
  return {
    ...options,
    listen: options.listen.map((text) => {
      const [name = "", address = ""] = text.split("=");
      const chosen = at.addresses.find(({ listener }) => listener === name)?.port;
      // Clients may be told another port than that which it has.
      const isToldOther = options.advertise.some((each) =>
        each.startsWith(`${name}=`) && !each.endsWith(":0")
      );
      return address.endsWith(":0") && chosen !== undefined && !isToldOther
        ? `${name}=${address.slice(0, -1)}${chosen}`
        : text;
    }),
    admin: at.admin ?? options.admin,
  };
}

function refuseOverlap(plans: readonly ShardPlan[]): void {
  const taken = new Map<string, string>();
  for (const { name, options: { listen, admin = "off" } } of plans) {
    for (const text of [...listen, `the admin API=${admin}`]) {
      const [what = "", address = ""] = text.split("=");
      if (address === "off" || address.endsWith(":0")) continue;
      const other = taken.get(address);
      if (other !== undefined) {
        throw refuse(
          `${other} and ${what} of ${name} cannot both have ${address}`,
          `each address is the first of ${plans.length}, one for each shard`,
          "give addresses whose ports are further apart",
        );
      }
      taken.set(address, `${what} of ${name}`);
    }
  }
}
