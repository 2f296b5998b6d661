/** What the flags of `serve` mean to a member of a cluster: `ClusterOptions`, or a clear refusal. */
import { readFileSync, statSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import type { ClusterGossip, ClusterOptions } from "../../broker/cluster/cluster-options.ts";
import { checkSecrets } from "../../broker/cluster/cluster-secret.ts";
import { superUsersOf } from "../../broker/config/access-configs.ts";
import type { BrokerConfig } from "../../broker/config/broker-config.ts";
import { formatAddress, isLoopback, type ListenerSpec } from "../../broker/listeners.ts";
import { etcdStoreAt, parseEtcdUrl } from "../../cluster/etcd/etcd-url.ts";
import { isIpAddress } from "../../core/ip-address.ts";
import type { HostPort } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { reasonOf } from "../reason.ts";
import { type ClusterFlags, refuse } from "./cluster-flags.ts";
import type { NodesTls } from "./listener-security.ts";
import { loadPercent } from "./load.ts";

/** The port for gossip, from that of the first listener. */
const GOSSIP_PORT_STEP = 10_000;
const PORT_MAX = 65_535;
const OTHERS_BITS = 0o077;
/** Of the controller's lease under `--timings lan`: the least that etcd gives. */
const LAN_LEASE_TTL_MS = 2000;

/** The port of gossip that belongs to the port of a first listener. */
export function gossipPortFor(port: number): number {
  if (port === 0) return 0;
  return port + GOSSIP_PORT_STEP <= PORT_MAX ? port + GOSSIP_PORT_STEP : port - GOSSIP_PORT_STEP;
}

/** What the cluster's flags are read with. */
export interface ClusterSurroundings {
  readonly logger: Logger;
  readonly version: string;
  /** As `memberListeners` gives them. */
  readonly listeners: readonly ListenerSpec[];
  readonly config: BrokerConfig;
  /** The TLS of the listener between nodes. */
  readonly tls: NodesTls | null;
}

/** The options of a member. Throws an `OperatorError` (usage). */
export async function clusterOptions(
  flags: ClusterFlags,
  { logger, version, listeners, config, tls }: ClusterSurroundings,
): Promise<ClusterOptions> {
  const { cluster: name = "", metadata } = flags;
  if (metadata === undefined) {
    throw refuse(
      `the cluster ${name} has no place for its metadata`,
      "its nodes share it in etcd",
      "say --metadata etcd://host:2379,host2:2379",
    );
  }
  const store = etcdStoreAt(parseEtcdUrl(metadata), (path) => textOf(path, "--metadata"));
  const secrets = secretsOf(flags, logger);
  const meeting = listenerBetween(listeners, config);
  const isMutual = tls?.isMutual === true;
  if (isMutual) refuseNameless(tls, config);
  else refuseStrangers(listeners, secrets);
  return {
    name,
    quorum: {
      kind: "etcd",
      store,
      ...(flags.timings === "lan" && { leaseTtlMs: LAN_LEASE_TTL_MS }),
    },
    host: flags.host ?? hostname(),
    interBrokerListener: meeting.name,
    secrets,
    believesCertificates: isMutual,
    ...(tls !== null && { tls: tls.options }),
    gossip: isMutual && secrets.length === 0
      ? withoutGossip(flags)
      : await gossipOptions(flags, meeting, version),
  };
}

async function gossipOptions(
  flags: ClusterFlags,
  { bind, advertised }: ListenerSpec,
  version: string,
): Promise<ClusterGossip> {
  const port = gossipPortOf(flags.gossipPort, bind.port);
  const bindHost = await addressOf(bind.host, null);
  return {
    bind: { host: bindHost, port },
    advertise: { host: await addressOf(advertised?.host ?? bind.host, bindHost), port },
    join: flags.join.flatMap(joinAddresses),
    version,
    loadPercent: loadPercent(),
    ...(flags.timings !== undefined && { timings: flags.timings }),
  };
}

/** Gossip's packets are sealed with keys from the secret; certificates seal none. */
function withoutGossip({ join, gossipPort }: ClusterFlags): null {
  if (join.length === 0 && gossipPort === undefined) return null;
  throw refuse(
    `${join.length > 0 ? "--join" : "--gossip-port"} needs the cluster's secret`,
    "without it there are no keys for gossip; certificates are for calls between nodes",
    "give all nodes --secret-file too, or leave it out: nodes find one another in etcd",
  );
}

/** A node whose name the others do not take for a node's would be refused by all of them. */
function refuseNameless({ principal }: NodesTls, config: BrokerConfig): void {
  if (superUsersOf(config.get("super.users")).includes(principal ?? "")) return;
  throw refuse(
    "the other nodes would not take this one for a node",
    `its certificate is ${principal ?? "nobody's"}, which is not in super.users`,
    `give all nodes --set "super.users=${principal ?? "User:CN=…"}", separated by ; where they ` +
      "have several names",
  );
}

/**
 * The listener that brokers use among themselves: `inter.broker.listener.name`, else the first of
 * `security.inter.broker.protocol`, else the first.
 */
export function listenerBetween(
  listeners: readonly ListenerSpec[],
  config: BrokerConfig,
): ListenerSpec {
  const name = config.get("inter.broker.listener.name");
  const isByProtocol = name === null && config.isSet("security.inter.broker.protocol");
  const wanted = config.get("security.inter.broker.protocol");
  const found = isByProtocol
    ? listeners.find(({ protocol = "PLAINTEXT" }) => protocol === wanted)
    : name === null
    ? listeners[0]
    : listeners.find((listener) => listener.name === name.toUpperCase());
  if (found !== undefined) return found;
  throw refuse(
    `brokers cannot meet on the listener ${isByProtocol ? `with ${wanted}` : name}`,
    isByProtocol ? "none has this protocol" : "nothing listens by that name",
    `set inter.broker.listener.name to one of ${listeners.map((each) => each.name).join(", ")}`,
  );
}

/**
 * The listeners of a member: each with the address that it tells the others, who have to reach it.
 * Throws an `OperatorError` (usage) where they could not.
 */
export function memberListeners(
  listeners: readonly ListenerSpec[],
  join: readonly string[],
): ListenerSpec[] {
  const far = join.flatMap(joinAddresses).find(({ host }) => !isLoopback(host));
  return listeners.map((listener) => {
    const { name, bind } = listener;
    const advertised = listener.advertised ?? bind;
    const what = `the listener ${name} cannot be told to the other members`;
    const whatToDo = `advertise an address that they reach: --advertise ${name}=host:port`;
    if (advertised.host === "0.0.0.0" || advertised.host === "::") {
      throw refuse(what, `it listens on every address (${formatAddress(bind)})`, whatToDo);
    }
    if (isLoopback(advertised.host) && !isLoopback(bind.host)) {
      throw refuse(what, `${formatAddress(advertised)} is reached on this host alone`, whatToDo);
    }
    if (isLoopback(advertised.host) && far !== undefined) {
      const why = `${formatAddress(advertised)} is reached on this host alone, and there is ` +
        `a member at ${formatAddress(far)}`;
      throw refuse(what, why, `listen on an address that they reach: --listen ${name}=host:port`);
    }
    return { ...listener, advertised };
  });
}

/** `host:port`, several with commas; without a port that of gossip beside the usual listener. */
function joinAddresses(text: string): HostPort[] {
  return text.split(",").map((part) => {
    const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(part.trim());
    const port = Number(match?.[3] ?? gossipPortFor(9092));
    const host = match?.[1] ?? match?.[2];
    if (host === undefined || port < 1 || port > PORT_MAX) {
      throw refuse(
        `--join cannot be read: "${part}"`,
        "it is no address",
        "write host:port, the port where that member gossips: as a rule its listener's + 10000",
      );
    }
    return { host, port };
  });
}

function gossipPortOf(text: string | undefined, listenerPort: number): number {
  if (text === undefined) return gossipPortFor(listenerPort);
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw refuse(`--gossip-port cannot be "${text}"`, "", `it is a number from 0 to ${PORT_MAX}`);
}

/** A secret in a line; comments begin with #. The first is used, the others are still good. */
function secretsOf(flags: ClusterFlags, logger: Logger): string[] {
  const { secretFile, clusterSecret } = flags;
  if (secretFile !== undefined && clusterSecret !== undefined) {
    throw refuse(
      "the cluster's secret is given twice",
      "as --secret-file and as KSTREAM_CLUSTER_SECRET or --cluster-secret",
      "leave one of them out",
    );
  }
  const text = secretFile === undefined ? clusterSecret ?? "" : textOf(secretFile, "--secret-file");
  const secrets = text.split(/\r?\n/).map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const isGiven = secretFile !== undefined || clusterSecret !== undefined;
  if (isGiven && secrets.length === 0) {
    throw refuse("the cluster's secret is empty", "", "make one with: openssl rand -base64 32");
  }
  checkSecrets(secrets);
  if (secretFile !== undefined && (statSync(secretFile).mode & OTHERS_BITS) !== 0) {
    logger.warn("others can read the file of the cluster's secret", { file: secretFile });
  }
  return secrets;
}

/** Whoever reaches a member without a secret can pass for another one. */
function refuseStrangers(listeners: readonly ListenerSpec[], secrets: readonly string[]): void {
  const open = listeners.find(({ bind }) => !isLoopback(bind.host));
  if (open === undefined || secrets.length > 0) return;
  throw refuse(
    "a cluster across hosts needs a secret",
    `whoever reaches ${formatAddress(open.bind)} could pass for one of its nodes`,
    "make one with: openssl rand -base64 32 > secret; give all nodes --secret-file secret (or let " +
      "them meet with certificates: --tls-cert, --tls-key, --tls-ca)",
  );
}

/** The IP address of a host: gossip needs one. `like`: an address of the same family is wanted. */
async function addressOf(host: string, like: string | null): Promise<string> {
  if (isIpAddress(host)) return host;
  const family = like === null || like === "::" ? 0 : like.includes(":") ? 6 : 4;
  try {
    return (await lookup(host, { family })).address;
  } catch (error) {
    throw refuse(
      `the address of ${host} cannot be found`,
      reasonOf(error),
      "advertise a name that this host can resolve, or an IP address",
    );
  }
}

/** The text of a file that a flag names. Throws an `OperatorError` (usage). */
export function textOf(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw refuse(`cannot read ${path}`, reasonOf(error), `check ${flag}`);
  }
}
