/** `kstream/stream/testing`: applications run without a broker. */
export {
  type DrivenRecord,
  type DriverOptions,
  type DroppedRecord,
  TestDriver,
} from "./test-driver.ts";
