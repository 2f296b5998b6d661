/**
 * ApiVersions, versions 0 to 5: which APIs, versions and features this broker serves, derived from
 * the registered handlers. Open to everybody, since clients ask before they authenticate.
 *
 * - A version that is not served is answered by the router in version 0 with UNSUPPORTED_VERSION
 *   (KIP-511; `unsupportedApiVersions`).
 * - 3: client software name and version, checked as Kafka does (INVALID_REQUEST) and kept on the
 *   connection. Features; up to here those whose lowest level is 0 are left out (KAFKA-17011).
 * - 5: a client that means another cluster or node gets REBOOTSTRAP_REQUIRED (KIP-1242).
 */
import { Errors } from "../../core/errors.ts";
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { ServedApi } from "../api-table.ts";
import type { Broker } from "../broker.ts";
import { isForwarded } from "../cluster/forwarding.ts";
import type { Handler } from "../handler.ts";

type Request = RequestOf<typeof apiVersions>;
type Response = EncodableResponse<typeof apiVersions>;

/** What a client may call itself and its version (Kafka's `ApiVersionsRequest.isValid`). */
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
/** From this version on clients understand features whose lowest level is 0. */
const ZERO_LEVELS_VERSION = 4;

export const apiVersionsHandler: Handler<typeof apiVersions> = {
  api: apiVersions,
  authorize: { kind: "open", reason: "clients ask before they authenticate" },
  handle(context, request, broker) {
    if (context.apiVersion >= 3) {
      const { clientSoftwareName: name, clientSoftwareVersion: version } = request;
      if (!SOFTWARE_NAME.test(name) || !SOFTWARE_NAME.test(version)) {
        return { errorCode: Errors.INVALID_REQUEST };
      }
      context.connection.clientSoftware = { name, version };
    }
    if (isMisrouted(request, broker)) return { errorCode: Errors.REBOOTSTRAP_REQUIRED };
    return { ...listApis(broker), ...listFeatures(context.apiVersion, broker) };
  },
};

function isMisrouted(request: Request, broker: Broker): boolean {
  if (request.clusterId === null) return false;
  return request.clusterId !== broker.clusterId ||
    request.nodeId >= 0 && request.nodeId !== broker.nodeId;
}

function listApis(broker: Broker): Response {
  return {
    errorCode: Errors.NONE,
    apiKeys: [...broker.apis].flatMap((served) => listed(broker, served)),
  };
}

/** Of what is the controller's work, what both serve: they may be of different versions. */
function listed(broker: Broker, { handler, listedMinVersion, maxVersion }: ServedApi) {
  const { key } = handler.api;
  const there = isForwarded(broker, handler) ? broker.cluster?.peers.controllerServes(key) : null;
  const range = {
    apiKey: key,
    minVersion: Math.max(listedMinVersion, there?.min ?? 0),
    maxVersion: Math.min(maxVersion, there?.max ?? maxVersion),
  };
  return range.minVersion <= range.maxVersion ? [range] : [];
}

function listFeatures(apiVersion: number, broker: Broker): Response {
  const known = broker.features.filter((feature) =>
    apiVersion >= ZERO_LEVELS_VERSION || feature.minLevel > 0
  );
  return {
    supportedFeatures: known.map((feature) => ({
      name: feature.name,
      minVersion: feature.minLevel,
      maxVersion: feature.maxLevel,
    })),
    finalizedFeaturesEpoch: BigInt(broker.metadata.image.position),
    finalizedFeatures: broker.features.filter((feature) => feature.level > 0).map((feature) => ({
      name: feature.name,
      maxVersionLevel: feature.level,
      minVersionLevel: feature.level,
    })),
  };
}

/** The answer, in version 0, to a version of ApiVersions that this broker does not serve (KIP-511). */
export const unsupportedApiVersions: Response = {
  errorCode: Errors.UNSUPPORTED_VERSION,
  apiKeys: [{
    apiKey: apiVersions.key,
    minVersion: apiVersions.minVersion,
    maxVersion: apiVersions.maxVersion,
  }],
};
