/** What `import … from "kstream"` gives, on every runtime. */
export * from "../index.ts";
export { Admin, Consumer, Producer, ShareConsumer } from "./clients.ts";
export type {
  Bytes,
  ClientOptions,
  ConsumerOptions,
  ProducerOptions,
  ProducerRecord,
  RuntimeOptions,
  ShareConsumerOptions,
} from "./clients.ts";
