/** A broker's services on a virtual clock and a faulty disk, asked through its handlers. */
import { allowAll, ANONYMOUS } from "../../broker/authorizer.ts";
import type { Broker } from "../../broker/broker.ts";
import { BrokerConfig } from "../../broker/config/broker-config.ts";
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import type { Handler } from "../../broker/handler.ts";
import type { NewTopic } from "../../broker/plan-topics.ts";
import { type ConnectionState, requestContext } from "../../broker/request-context.ts";
import { openServices, type Services } from "../../broker/services.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { Io } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinChunks,
} from "../../core/protocol/codec.ts";
import type { Api, EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";

const ADDRESS = { host: "127.0.0.1", port: 9092 };

/** The process that a request went to is gone: nobody hears the answer. */
export class CrashedError extends Error {
  override readonly name = "CrashedError";
}

/** See the head of this file. */
export class BrokerWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly disk: FaultyDisk;
  services!: Services;
  /** Counts starts, so that a client of an earlier process hears that it is gone. */
  life = 0;
  #broker!: Broker;
  #connections = 0;

  constructor(
    readonly random: SimRandom,
    readonly logger: Logger,
    readonly configs: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  ) {
    this.disk = new FaultyDisk(this.clock, random);
  }

  /** Starts the broker on what the disk holds. */
  start(): void {
    const { clock, random, disk, logger } = this;
    const io = { clock, random, disk, offload: inlineOffload() } as unknown as Io;
    const config = BrokerConfig.of(this.configs);
    const codecs = NO_CODECS;
    const opened = openServices({ io, logger, config, dataDirs: ["/data"], codecs });
    this.services = this.clock.run(opened);
    this.life++;
    const parts: Partial<Broker> = {
      ...this.services,
      io,
      logger,
      config,
      authorizer: allowAll,
      nodeId: this.services.dataDirs.nodeId,
      stopping: new AbortController().signal,
    };
    this.#broker = parts as Broker;
  }

  createTopics(topics: readonly NewTopic[]): void {
    const outcomes = this.clock.run(this.services.controller.createTopics(topics));
    for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.message);
  }

  /** A clean restart. */
  restart(): void {
    this.clock.run(this.services.close());
    this.clock.dropTimers();
    this.start();
  }

  /** The process is killed, or the power goes with this much of what was not synced. */
  crash(how: LossMode | "kill"): void {
    this.clock.dropTimers();
    if (how === "kill") this.disk.killProcess();
    else this.disk.cutPower(how);
    this.start();
  }

  /** A connection to the process that runs now. */
  connect(): <A extends Api>(
    handler: Handler<A>,
    version: number,
    request: EncodableRequest<A>,
  ) => Promise<ResponseOf<A>> {
    const { life } = this;
    const broker = this.#broker;
    const connection: ConnectionState = {
      id: ++this.#connections,
      listener: { name: "PLAINTEXT", bound: ADDRESS, advertised: null },
      localAddress: ADDRESS,
      peerAddress: { host: "127.0.0.1", port: 40_000 },
      signal: new AbortController().signal,
      principal: ANONYMOUS,
      clientSoftware: null,
      close: () => {},
      throttle: () => {},
    };
    return async (handler, version, request) => {
      if (life !== this.life) throw new CrashedError();
      const { api } = handler;
      const bytes = joinChunks(encodeRequest(api, version, request));
      const decoded = decodeRequest(api, version, bytes);
      const identity = { apiKey: api.key, apiVersion: version, correlationId: 1, clientId: null };
      const context = requestContext(connection, identity, broker.authorizer);
      const response = await handler.handle(context, decoded, broker);
      if (life !== this.life || response === null) throw new CrashedError();
      return decodeResponse(api, version, joinChunks(encodeResponse(api, version, response)));
    };
  }
}
