/**
 * The controller of a cluster as a process of its own, which is no broker: it has the local metadata log
 * and a listener where brokers register, follow the metadata and pass on what clients want changed. In
 * Kafka's words its `process.roles` is `controller`. It is in office as long as it runs; its term grows
 * with each start.
 */
import type { ElectedController } from "../../cluster/controller-election.ts";
import { METADATA_LOG_ID, openLocalMetadataLog } from "../../cluster/local-metadata-log.ts";
import { assert } from "../../core/assert.ts";
import { Errors } from "../../core/errors.ts";
import type { Disk, HostPort } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import type { DataDirs } from "../../storage/data-dirs.ts";
import { randomId } from "../../storage/meta-properties.ts";
import { readSmallText, writeSmallText } from "../../storage/small-files.ts";
import { authorizerOf, peerAuthenticationOf } from "../access.ts";
import { ApiTable } from "../api-table.ts";
import { Controller } from "../controller.ts";
import { type FoundationOptions, openDataDirs } from "../foundation.ts";
import type { AnyHandler, Handler } from "../handler.ts";
import { fetchHandler } from "../handlers/01-fetch.ts";
import { saslHandshakeHandler } from "../handlers/17-sasl-handshake.ts";
import { apiVersionsHandler } from "../handlers/18-api-versions.ts";
import { saslAuthenticateHandler } from "../handlers/36-sasl-authenticate.ts";
import { clusterHandlers } from "../handlers/cluster-handlers.ts";
import { handlers } from "../handlers/index.ts";
import { MetadataCache } from "../metadata-cache.ts";
import { ClientQuotaManager } from "../quotas/client-quota-manager.ts";
import { startServerForPeers } from "../serving.ts";
import { BrokerControl } from "./broker-control.ts";
import { controllerServices } from "./controller-services.ts";
import { ControllerTasks } from "./controller-tasks.ts";
import { isMetadataFetch } from "./metadata-fetch.ts";
import { MetadataSource } from "./metadata-source.ts";
import { portProbe } from "./port-probe.ts";
import { RecentChanges } from "./recent-changes.ts";

/** What it is started with. Its node id is the config `node.id`, which no broker may have. */
export interface ControllerNodeOptions extends FoundationOptions {
  /** Where brokers reach it; port 0: any. */
  readonly bind: HostPort;
  /** The name of the listener that brokers use among themselves. */
  readonly interBrokerListener: string;
  /** With what brokers prove that they are the cluster's. */
  readonly secrets: readonly string[];
  /** An invariant is broken. */
  onBug(error: Error): void;
}

/** A controller in office. */
export interface ControllerNode {
  readonly clusterId: string;
  /** Where it is reached, and its term. */
  readonly elected: ElectedController;
  readonly metadata: MetadataCache;
  /** Answers what is under way, flushes, and leaves the mark of a clean end. */
  close(): Promise<void>;
}

/** How long requests under way have to finish when it stops. */
const STOP_GRACE_MS = 1000;
/** In the data directory: the term of the last start, in decimal. */
const TERM_FILE = "controller-term";
const LISTENER = "CONTROLLER";

/** Fetch, of the metadata alone: a controller hosts nothing else. */
const metadataFetchHandler: Handler<typeof fetch> = {
  ...fetchHandler,
  handle: (context, request, broker) =>
    isMetadataFetch(context.apiVersion, request)
      ? fetchHandler.handle(context, request, broker)
      : { errorCode: Errors.INVALID_REQUEST, sessionId: 0, responses: [] },
};

/** What brokers ask of it for themselves, and what they pass on. */
const controllerHandlers: readonly AnyHandler[] = [
  ...handlers.filter(({ forwards }) => forwards !== undefined),
  ...clusterHandlers,
  metadataFetchHandler,
  saslHandshakeHandler,
  apiVersionsHandler,
  saslAuthenticateHandler,
];

/**
 * Reads the metadata log to its end and takes office; resolves when brokers can come. Throws an
 * `OperatorError` if the data directory or the address cannot be used.
 */
export async function startControllerNode(options: ControllerNodeOptions): Promise<ControllerNode> {
  const dataDirs = await openDataDirs(options, METADATA_LOG_ID.topic);
  try {
    return await startIn(dataDirs, options);
  } catch (error) {
    await dataDirs.close();
    throw error;
  }
}

async function startIn(
  dataDirs: DataDirs,
  options: ControllerNodeOptions,
): Promise<ControllerNode> {
  const { io, logger, config, secrets, onBug } = options;
  const { clock, random, disk } = io;
  const [dataDir] = dataDirs.all;
  assert(dataDir !== undefined, "there is a data directory");
  const { nodeId, clusterId } = dataDirs;
  const metadata = new MetadataCache(config, nodeId);
  const recent = new RecentChanges();
  const log = openLocalMetadataLog(clock, disk, dataDir);
  const controller = await Controller.sole({ clock, random, logger, log, metadata, recent });
  const office = new Office(nodeId, await nextTerm(disk, dataDir.path), options.bind);
  const stopping = new AbortController();
  const common = { clock, logger, config, metadata, controller, clusterId, nodeId, onBug };
  const metadataSource = new MetadataSource({
    ...common,
    ...{ recent, election: office, stopping: stopping.signal },
  });
  const brokers = new BrokerControl({
    ...common,
    incarnationId: randomId(random),
    isRefused: portProbe(io),
    listener: options.interBrokerListener,
    areLocked: true,
  });
  const services = controllerServices({
    ...common,
    ...{ io, metadataSource, brokers, stopping: stopping.signal },
    authorizer: authorizerOf(undefined, config, metadata, secrets.length > 0),
    peerAuthentication: peerAuthenticationOf(io, config, secrets, secrets.length > 0),
    apis: new ApiTable(controllerHandlers),
    quotas: ClientQuotaManager.of(clock, config, () => metadata.image.quotas),
  });
  const listener = { name: LISTENER, bind: options.bind, advertised: null };
  const server = await startServerForPeers(services, listener).catch((error: unknown) => {
    brokers.close();
    throw error;
  });
  office.address = server.listeners[0]?.bound ?? options.bind;
  const tasks = new ControllerTasks(common);
  return {
    clusterId,
    elected: office.controller,
    metadata,
    close: async () => {
      stopping.abort(new Error("the controller stops"));
      await server.stop(STOP_GRACE_MS);
      brokers.close();
      await tasks.close();
      metadataSource.close();
      await controller.deactivate();
      await controller.close();
      await dataDirs.close();
    },
  };
}

/** The election that nobody can lose. */
class Office {
  constructor(readonly nodeId: number, readonly term: number, public address: HostPort) {}

  get controller(): ElectedController {
    return { nodeId: this.nodeId, term: this.term, address: this.address };
  }

  onChange(): () => void {
    return () => {};
  }
}

/** Greater than in any start before; durable. */
async function nextTerm(disk: Disk, dataDir: string): Promise<number> {
  const path = `${dataDir}/${TERM_FILE}`;
  const text = readSmallText(disk, path)?.trim() ?? "0";
  if (!/^\d{1,9}$/.test(text)) {
    throw new OperatorError(
      `cannot read ${path}`,
      `"${text.slice(0, 20)}" is no term`,
      "write a number there that is greater than any that the logs of earlier starts tell",
    );
  }
  const term = Number(text) + 1;
  await writeSmallText(disk, path, `${term}\n`);
  return term;
}
