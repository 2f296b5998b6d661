/** What `import … from "kstream"` gives, on every runtime. */
export * from "../index.ts";
export { Admin, Consumer, Producer } from "./clients.ts";
export type {
  ClientOptions,
  ConsumerOptions,
  ProducerOptions,
  ProducerRecord,
  RuntimeOptions,
} from "./clients.ts";
