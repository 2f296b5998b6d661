import { ClientQuotaManager } from "./quotas/client-quota-manager.ts";
import { BrokerMetrics } from "./metrics/broker-metrics.ts";
import { bunClock } from "../core/io/bun/clock.ts";
import { bunRandom } from "../core/io/bun/random.ts";
import type { Io } from "../core/io.ts";
import { silentLogger } from "../core/logger.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinChunks,
} from "../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../core/protocol/schema.ts";
import type { MetadataLog } from "../cluster/metadata-log.ts";
import { MemoryMetadataLog } from "../cluster/memory-metadata-log.test-helper.ts";
import { allowAll, ANONYMOUS, type Authorizer } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import { BrokerConfig } from "./config/broker-config.ts";
import type { BrokerConfigName } from "./config/broker-configs.ts";
import { ClientActivity } from "./client-activity.ts";
import { Controller } from "./controller.ts";
import type { Handler } from "./handler.ts";
import { MetadataCache } from "./metadata-cache.ts";
import { ProducerIds } from "./producer-ids.ts";
import { authorize } from "./request-router.ts";
import { type ConnectionState, type RequestContext, requestContext } from "./request-context.ts";

/** The part of a broker that answers from metadata, without network and partitions. */
export interface MetadataBroker {
  readonly broker: Broker;
  readonly log: MemoryMetadataLog;
  /** One request through a handler, coded both ways at this version. */
  readonly call: <A extends Api>(
    handler: Handler<A>,
    version: number,
    request: EncodableRequest<A>,
    authorizer?: Authorizer,
  ) => Promise<ResponseOf<A>>;
}

const address = { host: "127.0.0.1", port: 9092 };
const connection: ConnectionState = {
  id: 1,
  listener: { name: "PLAINTEXT", bound: address, advertised: null },
  localAddress: address,
  peerAddress: { host: "127.0.0.1", port: 40_000 },
  signal: new AbortController().signal,
  principal: ANONYMOUS,
  clientSoftware: null,
  activity: new ClientActivity(0, 0),
  throttle: () => {},
  close: () => {},
};

/** A broker over `log`; node id 1. */
export async function metadataBroker(
  texts: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  log = new MemoryMetadataLog(),
): Promise<MetadataBroker> {
  const config = BrokerConfig.of(texts);
  const nodeId = config.get("node.id");
  const metadata = new MetadataCache(config, nodeId);
  const controller = await openController(log, metadata);
  const parts: Partial<Broker> = {
    io: { clock: bunClock, random: bunRandom } as Io,
    logger: silentLogger,
    authorizer: allowAll,
    clusterId: "test-cluster",
    nodeId,
    controllerId: nodeId,
    cluster: null,
    config,
    metadata,
    controller,
    changes: controller,
    producerIds: new ProducerIds(controller),
    metrics: new BrokerMetrics(),
    tracing: null,
    quotas: ClientQuotaManager.of(bunClock, config, () => metadata.image.quotas),
  };
  const broker = parts as Broker;
  return {
    broker,
    log,
    call: (handler, version, request, authorizer) =>
      callHandler(broker, handler, version, request, authorizer),
  };
}

/** One request through a handler of this broker, coded both ways at this version. */
export async function callHandler<A extends Api>(
  broker: Broker,
  handler: Handler<A>,
  version: number,
  request: EncodableRequest<A>,
  authorizer: Authorizer = allowAll,
  signal: AbortSignal = connection.signal,
): Promise<ResponseOf<A>> {
  const bytes = joinChunks(encodeRequest(handler.api, version, request));
  const identity = {
    apiKey: handler.api.key,
    apiVersion: version,
    correlationId: 1,
    clientId: null,
  };
  const context = requestContext({ ...connection, signal }, identity, authorizer);
  holdToDeclaration(handler, context);
  const decoded = decodeRequest(handler.api, version, bytes);
  const response = authorize(handler, context, decoded) ??
    await handler.handle(context, decoded, broker);
  if (response === null) throw new Error("no response");
  const answer = joinChunks(encodeResponse(handler.api, version, response));
  return decodeResponse(handler.api, version, answer);
}

/** A handler that answers item by item must declare what it asks for (`Handler.authorize`). */
function holdToDeclaration<A extends Api>(handler: Handler<A>, context: RequestContext): void {
  const rule = handler.authorize;
  if (rule.kind !== "items") return;
  const ask = context.authorized.bind(context);
  context.authorized = (operation, resourceType, name) => {
    const asked = `${operation} ${resourceType}` as const;
    if (!rule.operations.includes(asked)) {
      throw new Error(`${handler.api.name} asks for ${asked}, which it does not declare`);
    }
    return ask(operation, resourceType, name);
  };
}

/** A controller over this log. */
export function openController(log: MetadataLog, metadata: MetadataCache): Promise<Controller> {
  return Controller.open({
    clock: bunClock,
    random: bunRandom,
    logger: silentLogger,
    log,
    metadata,
  }, null);
}

/** Allows everything but these: `"CREATE TOPIC secret"`, or `"CREATE TOPIC"` for all of a kind. */
export function allowAllBut(...denied: string[]): Authorizer {
  return {
    authorize: (_principal, _peer, { operation, resourceType, name }) =>
      !denied.includes(`${operation} ${resourceType}`) &&
      !denied.includes(`${operation} ${resourceType} ${name}`),
  };
}
