/** The client library: producer, consumer and administration of any Kafka cluster. */
export { Admin } from "./admin.ts";
export type * from "./admin.ts";
export { Cluster, UnknownTopicError } from "./cluster.ts";
export type * from "./cluster.ts";
export {
  ConnectionError,
  isRetriableError,
  KafkaError,
  LogTruncationError,
  OffsetOutOfRangeError,
  TimeoutError,
  UnknownPartitionError,
  UnsupportedError,
} from "./errors.ts";
export type { ClientIo, ClientOptions, OperationOptions } from "./options.ts";
export type { PasswordOptions, SaslOptions, TokenOptions } from "../core/sasl/options.ts";
export type { TlsOptions } from "../core/io.ts";
export { Producer, TopicWriter } from "./producer.ts";
export type * from "./producer.ts";
export { Consumer, FetchedChunk } from "./consumer.ts";
export type * from "./consumer.ts";
export type { AssignorName, TopicPartition, TopicPartitions } from "./group-protocol.ts";
export {
  bytesSerde,
  float64Serde,
  int16Serde,
  int32Serde,
  int64Serde,
  jsonSerde,
  SerdeError,
  stringSerde,
} from "./serde.ts";
export type { Serde, SerdeContext, SerdeOptions } from "./serde.ts";
export { ShareConsumer } from "./share-consumer.ts";
export type * from "./share-consumer.ts";
