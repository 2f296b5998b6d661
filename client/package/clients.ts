/**
 * The clients as the npm package has them: their options alone, the runtime and the codecs given by
 * the package, and strings where bytes are wanted.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import { Admin as BaseAdmin } from "../admin.ts";
import { Consumer as BaseConsumer } from "../consumer.ts";
import type { ConsumerOptions as BaseConsumerOptions, SerdeOptions } from "../consumer.ts";
import type { ClientIo, ClientOptions as BaseClientOptions } from "../options.ts";
import { Producer as BaseProducer } from "../producer.ts";
import type {
  ProducerOptions as BaseProducerOptions,
  ProducerRecord as BaseProducerRecord,
  RecordMetadata,
} from "../producer.ts";
import { ShareConsumer as BaseShareConsumer } from "../share-consumer.ts";
import type { ShareConsumerOptions as BaseShareConsumerOptions } from "../share-consumer.ts";
import { platform } from "./platform.ts";

/** What may be replaced: the simulated world of a test, another network. */
export interface RuntimeOptions {
  readonly io?: ClientIo;
}

/** Settings that all clients share. */
export type ClientOptions = BaseClientOptions & RuntimeOptions;
/** Settings of a producer. */
export type ProducerOptions = BaseProducerOptions & RuntimeOptions;
/** Settings of a consumer. Without serdes, keys and values are bytes. */
export type ConsumerOptions<K = Uint8Array, V = Uint8Array> =
  & BaseConsumerOptions
  & RuntimeOptions
  & SerdeOptions<K, V>;

/** Settings of a consumer in a share group. Without serdes, keys and values are bytes. */
export type ShareConsumerOptions<K = Uint8Array, V = Uint8Array> =
  & BaseShareConsumerOptions
  & RuntimeOptions
  & SerdeOptions<K, V>;

/** A record to be sent. Strings become UTF-8. */
export type ProducerRecord =
  & Omit<BaseProducerRecord, "key" | "value">
  & {
    readonly key?: Uint8Array | string | null;
    /** Null is a tombstone. */
    readonly value: Uint8Array | string | null;
  };

/** Writes records. `close` it. */
export class Producer extends BaseProducer {
  constructor(options: ProducerOptions) {
    super(options.io ?? platform().io, withCodecs(options));
  }

  override send(record: ProducerRecord): Promise<RecordMetadata> {
    const { key = null, value } = record;
    return super.send({ ...record, key: bytesOf(key), value: bytesOf(value) });
  }
}

/** Reads records, alone or as a member of a group. `close` it. */
export class Consumer<K = Uint8Array, V = Uint8Array> extends BaseConsumer<K, V> {
  constructor(options: ConsumerOptions<K, V>) {
    super(options.io ?? platform().io, withCodecs(options));
  }
}

/** Takes records from a share group and acknowledges each. `close` it. */
export class ShareConsumer<K = Uint8Array, V = Uint8Array> extends BaseShareConsumer<K, V> {
  constructor(options: ShareConsumerOptions<K, V>) {
    super(options.io ?? platform().io, withCodecs(options));
  }
}

/** Administers a cluster. `close` it. */
export class Admin extends BaseAdmin {
  constructor(options: ClientOptions) {
    super(options.io ?? platform().io, options);
  }
}

function withCodecs<O extends { readonly codecs?: Codecs }>(options: O): O & { codecs: Codecs } {
  return { ...options, codecs: options.codecs ?? platform().codecs };
}

function bytesOf(value: Uint8Array | string | null): Uint8Array | null {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}
