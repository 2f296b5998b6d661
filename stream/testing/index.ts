/** `kstream/stream/testing`: applications run without a broker. */
export { type DriverOptions, type DroppedRecord, TestDriver } from "./test-driver.ts";
export { type DrivenRecord, type InputTimes, TestInput, TestOutput } from "./test-topics.ts";
