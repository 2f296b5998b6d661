/** `kstream serve`: a broker. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ShardHealth } from "../admin/health.ts";
import { type AdminServerOptions, startAdminServer } from "../admin/server.ts";
import type { BrokerConfig } from "../broker/config/broker-config.ts";
import { type BrokerOptions, type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { offerFasterCrc32c } from "../core/crc32c.ts";
import { loadCrc32cX64 } from "../core/io/bun/crc32c-x64.ts";
import { bunServeHttp } from "../core/io/bun/http.ts";
import { bunLoadPages } from "../core/io/bun/web-pages.ts";
import type { HttpListener, HttpTls } from "../core/io/http.ts";
import { bunIo } from "../core/io/bun/index.ts";
import type { Clock, Disk, HostPort, Io } from "../core/io.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { createLogger, type Logger, type LogLevel } from "../core/logger.ts";
import type { ClusterOptions } from "../broker/cluster/cluster-options.ts";
import { connectLink } from "./serve/connect-url.ts";
import { streamsLink } from "./serve/streams-link.ts";
import type { BrokerConnect } from "./serve/connect/broker-connect.ts";
import {
  type ConnectFlags,
  refuseConnect,
  withConnectOptions,
} from "./serve/connect/connect-flags.ts";
import { parseAdminAddress } from "./serve/admin-address.ts";
import type { AdminFlags } from "./serve/admin-security.ts";
import { addressJson, banner, durableOf, writeReadyFile } from "./serve/announce.ts";
import {
  type ClusterFlags,
  isMember,
  nodeIdOnDisk,
  once,
  parseNodeId,
  parseShards,
  presetTimes,
} from "./serve/cluster-flags.ts";
import {
  type ListenerSecurity,
  refuseInsecure,
  secureListeners,
  type SecuritySources,
} from "./serve/listener-security.ts";
import { chooseListeners, configTexts, dataDirsOf, parseConfig } from "./serve/config-texts.ts";
import { Parent } from "./serve/parent.ts";
import { die, endOnStrayErrors, EXIT_FAILED, listenForSignals } from "./serve/process.ts";
import { refuseShards } from "./serve/shards/layout.ts";
import { workerOffload } from "./serve/offload.ts";
import { startReports } from "./serve/reporting.ts";
import type { TlsFlags } from "./serve/tls.ts";
import { parseTopicSpec } from "./serve/topic-spec.ts";
import { readSettingsFile } from "./settings.ts";

const EXAMPLES = `
Examples:
  kstream serve
  kstream serve --data /var/lib/kstream --topic orders:3:retention.ms=86400000
  kstream serve --memory --listen 127.0.0.1:0 --ready-file ready
  kstream serve --listen INSIDE=10.0.0.5:9092 --listen OUTSIDE=:9093 --insecure \\
    --advertise OUTSIDE=broker.example.org:9093
  kstream serve --listen :9093 --tls-cert server.pem --tls-key server.key --tls-ca ca.pem
  kstream serve --durability os --set log.retention.hours=24 --config server.properties
  kstream serve --shards 4 --data /var/lib/kstream --listen 127.0.0.1:9092
  kstream serve --cluster shop --metadata etcd://10.0.0.2:2379 --node-id 1 --insecure \\
    --listen 10.0.0.5:9092 --secret-file secret --join 10.0.0.6:19092

Broker configs have Kafka's names. --set wins over --config, that over [broker] in kstream.toml.
SIGTERM and SIGINT end it in good order (exit 0); a second one at once.`;

/** Data that the memory disk may hold. */
const MEMORY_BYTES_MAX = 4 * 1024 ** 3;
/** Path of the data directory on the memory disk. */
const MEMORY_DIR = "/memory";
const TOPIC_HELP = "create name[:partitions[:config=value…]] (repeatable)";

const gather = (value: string, before: string[]): string[] => [...before, value];

// KSTREAM_ADMIN says where the clients of an admin API find it.
const ADMIN = new Option(
  "--admin <host:port|off>",
  "where the admin API listens (default: 127.0.0.1:8080)",
).env("KSTREAM_ADMIN_LISTEN");
const ADMIN_CERT = new Option(
  "--admin-cert <file>",
  "have it speak TLS with this certificate (PEM)",
);
const ADMIN_KEY = new Option("--admin-key <file>", "its key (PEM)");
const CONNECT_URL = new Option(
  "--connect-url <url>",
  "pass /v1/connect/… on to this worker of connectors, http(s)://[user:password@]host:port; " +
    "several with commas",
);
const STREAMS_HOSTS = new Option(
  "--streams-hosts <hosts>",
  "ask members of stream applications at these hosts, for the pages: names, *.names or addresses, " +
    "https:// before and :port behind where it matters; with commas (default: on this host)",
);
const STREAMS_TOKEN = new Option("--streams-token <file>", "what they ask for, as --queries-token");
// KSTREAM_TLS_CERT and the like are those of clients.
const TLS_CERT = new Option("--tls-cert <file>", "speak TLS with this certificate and chain (PEM)")
  .env("KSTREAM_SERVE_TLS_CERT");
const TLS_KEY = new Option("--tls-key <file>", "its key (PEM)").env("KSTREAM_SERVE_TLS_KEY");
const TLS_CA = new Option("--tls-ca <file>", "let in only clients that these have signed (PEM)")
  .env("KSTREAM_SERVE_TLS_CA");

/** The command, to be added to the tree. */
export function serveCommand() {
  const command = new Command("serve")
    .description("Run a broker.")
    .option("-d, --data <dir>", "where the data is kept", "data")
    .option("-l, --listen <[NAME=]host:port>", "address to listen on (repeatable)", gather, [])
    .option("--advertise <[NAME=]host:port>", "address told to clients (repeatable)", gather, [])
    .option("-t, --topic <spec>", TOPIC_HELP, gather, [])
    .option("--memory", "keep everything in memory, nothing on disk")
    .addOption(
      new Option("--durability <level>", "what an acknowledgement means").choices(
        ["fsync", "os"] as const,
      ),
    )
    .option("-s, --set <name=value>", "set a broker config (repeatable)", gather, [])
    .option("-c, --config <file>", "read broker configs from a server.properties")
    .addOption(
      new Option("--cluster <name>", "be a member of this cluster").argParser(once("cluster")),
    )
    .addOption(
      new Option(
        "--metadata <etcd://host:2379>",
        "where its metadata is; hosts with commas, user:password@ before, ?ca=FILE behind",
      ).argParser(once("metadata")),
    )
    .addOption(
      new Option("--node-id <number>", "which member this is (default: as its data says)")
        .argParser(once("node-id")),
    )
    .option("--join <host:port>", "where another member gossips (repeatable)", gather, [])
    .option("--secret-file <file>", "the secret that all members share; further lines: old ones")
    .option("--cluster-secret <text>", "the same, for all to see (safer: KSTREAM_CLUSTER_SECRET)")
    .option("--host <name>", "the machine, no two replicas go to one (default: its host name)")
    .option("--gossip-port <port>", "UDP and TCP, among members (default: the listener's + 10000)")
    .addOption(timingsOption())
    .addOption(TLS_CERT)
    .addOption(TLS_KEY)
    .addOption(TLS_CA)
    .option("--ready-file <file>", "write the addresses there once it can serve")
    .addOption(
      new Option("--print-addr <format>", "print the addresses on standard output").choices(
        ["json"] as const,
      ),
    )
    .addOption(ADMIN)
    .option("--admin-auth", "let only users of the cluster ask it, by name and password")
    .addOption(ADMIN_CERT)
    .addOption(ADMIN_KEY)
    .addOption(CONNECT_URL)
    .addOption(STREAMS_HOSTS)
    .addOption(STREAMS_TOKEN)
    .option("--shards <number>", "run so many brokers as one cluster, one per processor")
    .option("--until-eof", "end in good order when standard input ends")
    .addOption(new Option("--supervised <name>", "be a shard of the program above").hideHelp())
    .option("--dev", "let faults be ordered and the clock be moved (kstream dev), for tests")
    .option("--insecure", "let other hosts in, without any security")
    .addOption(
      new Option("--log-level <level>", "least urgent lines to log").choices(
        ["debug", "info", "warn", "error"] as const,
      ).default("info" as const),
    )
    .addOption(
      new Option("--log-format <format>", "of log lines, on standard error").choices(
        ["text", "json"] as const,
      ).default("text" as const),
    )
    .addHelpText("after", EXAMPLES)
    .action(async (options, command) => process.exit(await serve(options, command)));
  return withConnectOptions(command);
}

function timingsOption() {
  return new Option("--timings <preset>", "lan: see 3 s of silence as failure, not 9")
    .choices(["default", "lan"] as const);
}

/** The options of `serve`, as the command line gives them. */
export interface ServeOptions extends ClusterFlags, TlsFlags, AdminFlags, ConnectFlags {
  /** Default: what the configs say. */
  readonly data?: string | undefined;
  readonly listen: readonly string[];
  readonly advertise: readonly string[];
  readonly topic: readonly string[];
  readonly durability?: string | undefined;
  readonly set: readonly string[];
  readonly config?: string | undefined;
  readonly readyFile?: string | undefined;
  readonly printAddr?: string | undefined;
  /** Workers of connectors, for the admin API. */
  readonly connectUrl?: string | undefined;
  /** Where members of stream applications are asked, and with what. */
  readonly streamsHosts?: string | undefined;
  readonly streamsToken?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly dev?: boolean | undefined;
  /** How many brokers; default one. */
  readonly shards?: string | undefined;
  /** The end of standard input is that of the broker. */
  readonly untilEof?: boolean | undefined;
  /** The name of a shard, which its supervisor tells all else on standard input. */
  readonly supervised?: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}

/** What a shard has from the supervisor that has started it. */
export interface Supervision {
  /** Of the shard. */
  readonly name: string;
  /** All configs, by name. */
  readonly configs: ReadonlyMap<string, string>;
  /** What it is a member of; null: as its flags say. */
  readonly cluster: ClusterOptions | null;
}

/** Runs a broker, or several, until a signal ends it; gives the exit code. */
async function serve(given: ServeOptions, command: CommandUnknownOpts): Promise<number> {
  // What configs say wins over a default.
  const isDefault = command.getOptionValueSource("data") === "default";
  const options = { ...given, data: isDefault ? undefined : given.data };
  const version = command.parent?.version() ?? "";
  if (options.supervised !== undefined) {
    const { receiveHandover } = await import("./serve/shards/handover.ts");
    const parent = new Parent();
    const handover = await receiveHandover(parent);
    return await serveOne(handover.options, version, parent, handover);
  }
  const parent = options.untilEof === true ? new Parent() : null;
  const shards = parseShards(options.shards);
  refuseConnect(options, shards);
  if (shards === 1) return await serveOne(options, version, parent, null);
  const { superviseShards } = await import("./serve/shards/supervisor.ts");
  return await superviseShards(options, shards, version, parent);
}

async function serveOne(
  options: ServeOptions,
  version: string,
  parent: Parent | null,
  supervision: Supervision | null,
): Promise<number> {
  const system: Io = bunIo(workerOffload());
  const logger = serveLogger(options, system.clock, supervision?.name ?? null);
  // The controller of a cluster of shards is in their supervisor.
  const isOfShards = supervision !== null && supervision.cluster !== null;
  const isClustered = isMember(options) || isOfShards;
  const config = supervision === null
    ? await brokerConfig(options, system.disk, isClustered)
    : parseConfig(supervision.configs);
  const sources = { config, flags: options, logger, nowMs: system.clock.wallMs, between: null };
  const { security, cluster } = isClustered
    ? await memberOf(options, sources, version, supervision)
    : { security: await secureListeners(chooseListeners(options, config), sources) };
  const { listeners } = security;
  const admin = parseAdminAddress(options.admin ?? null);
  refuseInsecure(listeners, admin, options);
  const tls = await adminTls(options, system.clock);
  const connect = await besides(options, listeners, { logger, version, clock: system.clock });
  const isInMemory = config.get("kstream.storage") === "memory";
  const [dataDir = MEMORY_DIR, ...furtherDataDirs] = isInMemory ? [] : dataDirsOf(config);
  if (!isInMemory && supervision === null) refuseShards(system.disk, dataDir);
  const signals = listenForSignals(logger);
  endOnStrayErrors(logger);
  offerFasterCrc32c(loadCrc32cX64);
  let running: RunningBroker | null = null;
  parent?.gone.addEventListener("abort", () => {
    // What has not begun to serve has nothing to hand over.
    if (running === null) process.exit(EXIT_FAILED);
    logger.info("stopping: the program that started this one is gone");
  });
  const siblings = await siblingsOf(supervision, parent, system.clock, () => running);
  const link = connect ?? connectLink(options.connectUrl, system.clock);
  const parts = {
    ...{ version, tls, running: () => running, siblings, connect: link },
    streams: streamsLink(options),
  };
  const adminServer = admin === "off" ? null : openAdmin(options, admin, parts);
  running = await startBroker({
    io: isInMemory ? inMemory(system) : system,
    logger,
    config,
    listeners,
    dataDir,
    furtherDataDirs,
    topics: options.topic.map(parseTopicSpec),
    dev: options.dev === true,
    ...(cluster !== undefined && { cluster }),
    ...ends(logger),
  });
  security.watch(running);
  announce(options, running, adminServer, version, supervision !== null);
  connect?.start(running.listeners);
  const reports = await startReports(running, system.clock, version, supervision !== null);
  await Promise.race([signals.first, ...parent === null ? [] : [parent.whenGone()]]);
  // Without its controller there is nobody who would move what it leads.
  const isDeserted = isOfShards && parent?.gone.aborted === true;
  reports.stopping();
  // What connectors have done is written down by the broker.
  await connect?.close();
  await running.stop({ handsOver: !isDeserted });
  await reports.ended;
  await adminServer?.close();
  logger.info("the broker has stopped in good order");
  return 0;
}

function openAdmin(
  { adminAuth }: ServeOptions,
  at: HostPort | "default",
  parts: Pick<
    AdminServerOptions,
    "version" | "tls" | "running" | "siblings" | "connect" | "streams"
  >,
): HttpListener {
  return startAdminServer({
    ...parts,
    serveHttp: bunServeHttp,
    loadPages: bunLoadPages,
    at: at === "default" ? null : at,
    authenticates: adminAuth === true,
  });
}

/** The worker of connectors, where one is wanted. */
async function besides(
  options: ServeOptions,
  listeners: ListenerSecurity["listeners"],
  parts: { readonly version: string; readonly logger: Logger; readonly clock: Clock },
): Promise<BrokerConnect | null> {
  if (options.connect !== true) return null;
  const { BrokerConnect } = await import("./serve/connect/broker-connect.ts");
  const workerLogger = serveLogger({ ...options, logLevel: "debug" }, parts.clock, null);
  return await BrokerConnect.prepare({ ...parts, flags: options, workerLogger }, listeners);
}

/** What the broker cannot go on after. */
function ends(
  logger: Logger,
): Pick<BrokerOptions, "onBug" | "onStorageFailure" | "onFailure"> {
  return {
    onBug: (error) => die(logger, "a broken invariant ends the broker", error),
    onStorageFailure: (error) => die(logger, "a failed disk ends the broker", error),
    onFailure: (error) => die(logger, "the cluster has sent this broker away", error),
  };
}

/** How the other shards are, if there are any. */
async function siblingsOf(
  supervision: Supervision | null,
  parent: Parent | null,
  clock: Clock,
  running: () => RunningBroker | null,
): Promise<() => Promise<readonly ShardHealth[]>> {
  if (supervision === null || parent === null) return () => Promise.resolve([]);
  const { meetSiblings } = await import("./serve/shards/siblings.ts");
  return meetSiblings(clock, parent, supervision.name, running);
}

/** Its certificate, with code that is loaded only then. */
async function adminTls(options: ServeOptions, { wallMs }: Clock): Promise<HttpTls | null> {
  if (options.adminCert === undefined && options.adminKey === undefined) return null;
  const { readHttpTls } = await import("./http-tls.ts");
  const { adminCert, adminKey } = options;
  return readHttpTls("the admin API", {
    cert: ["--admin-cert", adminCert],
    key: ["--admin-key", adminKey],
  }, wallMs());
}

/** What makes a broker a member of a cluster. Loaded by members alone: a broker alone starts sooner. */
async function memberOf(
  options: ServeOptions,
  sources: SecuritySources,
  version: string,
  supervision: Supervision | null,
): Promise<{ readonly security: ListenerSecurity; readonly cluster: ClusterOptions }> {
  const { memberListeners, listenerBetween, clusterOptions } = await import(
    "./serve/cluster-member.ts"
  );
  const { config, logger } = sources;
  const addressed = memberListeners(chooseListeners(options, config), options.join);
  const between = listenerBetween(addressed, config).name;
  const security = await secureListeners(addressed, { ...sources, between });
  const { listeners, ofNodes: tls } = security;
  const cluster = supervision?.cluster ??
    await clusterOptions(options, { logger, version, listeners, config, tls });
  return { security, cluster };
}

/** Lines on standard error; those of a shard say which one it is. */
export function serveLogger(
  { logLevel, logFormat }: Pick<ServeOptions, "logLevel" | "logFormat">,
  clock: Clock,
  shard: string | null,
): Logger {
  const prefix = shard === null || logFormat === "json" ? "" : `${shard} `;
  const logger = createLogger({
    level: logLevel,
    format: logFormat,
    wallMs: () => clock.wallMs(),
    // In one write: several processes share standard error.
    write: (line) => process.stderr.write(`${prefix}${line}\n`),
  });
  return shard === null || logFormat === "text" ? logger : logger.with({ shard });
}

/** The configs from everywhere, by name. */
export async function brokerConfigTexts(options: ServeOptions): Promise<Map<string, string>> {
  const table = (await readSettingsFile())?.["broker"];
  const texts = configTexts({
    table: typeof table === "object" && table !== null ? { ...table } : {},
    file: options.config ?? null,
    durability: options.durability ?? null,
    memory: options.memory === true,
    data: options.data,
    set: options.set,
  });
  const nodeId = parseNodeId(options.nodeId);
  if (nodeId !== null) texts.set("node.id", String(nodeId));
  presetTimes(options.timings, texts);
  return texts;
}

/** The configs from everywhere; those of a member have a node id. */
async function brokerConfig(
  options: ServeOptions,
  disk: Disk,
  isClustered: boolean,
): Promise<BrokerConfig> {
  const texts = await brokerConfigTexts(options);
  const config = parseConfig(texts);
  if (!isClustered || config.isSet("node.id")) return config;
  texts.set("node.id", String(nodeIdOnDisk(disk, dataDirsOf(config))));
  return parseConfig(texts);
}

function inMemory(io: Io): Io {
  return {
    ...io,
    disk: new MemoryDisk({ wallMs: () => io.clock.wallMs(), maxBytes: MEMORY_BYTES_MAX }),
  };
}

function announce(
  options: ServeOptions,
  running: RunningBroker,
  adminServer: HttpListener | null,
  version: string,
  isShard: boolean,
): void {
  const { listeners, broker } = running;
  const admin = adminServer?.address ?? null;
  // Its supervisor tells of all.
  if (isShard) return void process.stdout.write(`${addressJson(listeners, admin)}\n`);
  const isInMemory = broker.config.get("kstream.storage") === "memory";
  const text = banner({
    version,
    listeners,
    admin,
    dataDir: isInMemory ? null : broker.dataDirs.all.map(({ path }) => path).join(", "),
    durable: durableOf(broker.config),
  });
  // Standard output belongs to the script that asked for JSON.
  if (options.printAddr === "json") {
    process.stderr.write(text);
    process.stdout.write(`${addressJson(listeners, admin)}\n`);
  } else {
    process.stdout.write(text);
  }
  if (options.readyFile !== undefined) writeReadyFile(options.readyFile, listeners, admin);
}
