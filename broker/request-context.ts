import type { HostPort } from "../core/io.ts";
import {
  type AclOperation,
  AUTHORIZED_OPERATIONS_OMITTED,
  authorizedOperations,
  type Authorizer,
  type Principal,
  type ResourceOperation,
  type ResourceType,
} from "./authorizer.ts";
import type { ClientActivity } from "./client-activity.ts";
import type { ListenerInfo } from "./listeners.ts";

/** What a client says it is (KIP-511). */
export interface ClientSoftware {
  readonly name: string;
  readonly version: string;
}

/** What outlives a request on a connection. Handlers may write the fields that are not readonly. */
export interface ConnectionState {
  /** Unique in this process; names the connection in log lines. */
  readonly id: number;
  readonly listener: ListenerInfo;
  readonly localAddress: HostPort;
  /** The client's; of a node that acts for somebody that one's (`cluster/acting-for.ts`). */
  peerAddress: HostPort;
  /** Aborted when the connection goes, in either direction. */
  readonly signal: AbortSignal;
  principal: Principal;
  /** From ApiVersions, version 3 and later; null until then. */
  clientSoftware: ClientSoftware | null;
  /** What it has been doing. */
  readonly activity: ClientActivity;
  /** Takes no further request for so long: the client has gone beyond a quota (KIP-219). */
  throttle(delayMs: number): void;
  /** Closes the connection after the responses that are under way; says why in the log. */
  close(reason: string): void;
}

/** What a handler knows of where a request came from. */
export interface RequestContext {
  readonly connection: ConnectionState;
  readonly principal: Principal;
  readonly listener: ListenerInfo;
  readonly localAddress: HostPort;
  readonly peerAddress: HostPort;
  readonly clientId: string | null;
  readonly clientSoftware: ClientSoftware | null;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  /** Aborted when the connection goes; every wait of a handler ends with it. */
  readonly signal: AbortSignal;
  /** Whether the sender may do this; for handlers that answer each item on its own. */
  authorized(operation: AclOperation, resourceType: ResourceType, name: string): boolean;
  /** Whether the sender may do this with some resource of the type, whatever its name. */
  authorizedForAny(operation: AclOperation, resourceType: ResourceType): boolean;
  /** The `authorizedOperations` bit field of a resource (KIP-430), for requests that ask for it. */
  authorizedOperations(resourceType: ResourceType, name: string): number;
  /** Ends the connection, which is Kafka's only way to report an error on a produce with acks=0. */
  closeConnection(reason: string): void;
}

/** As `authorizedOperations`, where a request may leave them out. */
export function operationsIfAsked(
  context: RequestContext,
  isAsked: boolean,
  resourceType: ResourceType,
  name: string,
): number {
  return isAsked ? context.authorizedOperations(resourceType, name) : AUTHORIZED_OPERATIONS_OMITTED;
}

/** The part of a request header that a context carries. */
export interface RequestIdentity {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** The context of one request on a connection. */
export function requestContext(
  connection: ConnectionState,
  identity: RequestIdentity,
  authorizer: Authorizer,
): RequestContext {
  return new Context(connection, identity, authorizer);
}

class Context implements RequestContext {
  readonly principal: Principal;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;

  constructor(
    readonly connection: ConnectionState,
    identity: RequestIdentity,
    private readonly authorizer: Authorizer,
  ) {
    // The principal of the moment that the request was read, whatever the connection becomes.
    this.principal = connection.principal;
    this.apiKey = identity.apiKey;
    this.apiVersion = identity.apiVersion;
    this.correlationId = identity.correlationId;
    this.clientId = identity.clientId;
  }

  get listener(): ListenerInfo {
    return this.connection.listener;
  }
  get localAddress(): HostPort {
    return this.connection.localAddress;
  }
  get peerAddress(): HostPort {
    return this.connection.peerAddress;
  }
  get clientSoftware(): ClientSoftware | null {
    return this.connection.clientSoftware;
  }
  get signal(): AbortSignal {
    return this.connection.signal;
  }

  authorized(operation: AclOperation, resourceType: ResourceType, name: string): boolean {
    return this.allows({ operation, resourceType, name });
  }

  authorizedForAny(operation: AclOperation, resourceType: ResourceType): boolean {
    const { authorizer, principal, peerAddress } = this;
    return authorizer.authorizeAny?.(principal, peerAddress, operation, resourceType) ??
      this.authorized(operation, resourceType, "hardcode");
  }

  authorizedOperations(resourceType: ResourceType, name: string): number {
    return authorizedOperations(
      this.authorizer,
      this.principal,
      this.peerAddress,
      resourceType,
      name,
    );
  }

  closeConnection(reason: string): void {
    this.connection.close(reason);
  }

  private allows(wanted: ResourceOperation): boolean {
    return this.authorizer.authorize(this.principal, this.peerAddress, wanted);
  }
}
