/**
 * The clients as the npm package has them: their options alone, the runtime and the codecs given by
 * the package, and strings where bytes are wanted.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import { Admin as BaseAdmin } from "../admin.ts";
import { Consumer as BaseConsumer } from "../consumer.ts";
import type { ConsumerOptions as BaseConsumerOptions } from "../consumer.ts";
import type { ClientIo, ClientOptions as BaseClientOptions } from "../options.ts";
import { Producer as BaseProducer } from "../producer.ts";
import type {
  ProducerOptions as BaseProducerOptions,
  ProducerRecord as BaseProducerRecord,
} from "../producer.ts";
import { bytesSerde, stringSerde } from "../serde.ts";
import type { Serde, SerdeOptions } from "../serde.ts";
import { ShareConsumer as BaseShareConsumer } from "../share-consumer.ts";
import type { ShareConsumerOptions as BaseShareConsumerOptions } from "../share-consumer.ts";
import { platform } from "./platform.ts";

/** What may be replaced: the simulated world of a test, another network. */
export interface RuntimeOptions {
  readonly io?: ClientIo;
}

/** Settings that all clients share. */
export type ClientOptions = BaseClientOptions & RuntimeOptions;
/** What a producer takes without a serde. Strings become UTF-8. */
export type Bytes = Uint8Array | string;
/** Settings of a producer. Without serdes, keys and values are bytes or strings. */
export type ProducerOptions<K = Bytes, V = Bytes> =
  & BaseProducerOptions
  & RuntimeOptions
  & SerdeOptions<K, V>;
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

/** A record to be sent. */
export type ProducerRecord<K = Bytes, V = Bytes> = BaseProducerRecord<K, V>;

const bytesOrText: Serde<Bytes> = {
  serialize: (value, context) =>
    typeof value === "string" ? stringSerde.serialize(value, context) : value,
  deserialize: bytesSerde.deserialize,
};

/** Writes records. `close` it. */
export class Producer<K = Bytes, V = Bytes> extends BaseProducer<K, V> {
  constructor(options: ProducerOptions<K, V>) {
    // Without serdes the types are what they are by default.
    const text = bytesOrText as unknown as Serde<K> & Serde<V>;
    const { key = text, value = text } = options;
    super(options.io ?? platform().io, { ...withCodecs(options), key, value });
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
