import { MemoryMetadataLog } from "./memory-metadata-log.test-helper.ts";
import { type LogUnderTest, metadataLogSuite } from "./metadata-log-suite.test-helper.ts";

metadataLogSuite("the memory log of the tests", () => {
  const log = new MemoryMetadataLog();
  const subject: LogUnderTest = { log, reopen: () => Promise.resolve(subject) };
  return Promise.resolve(subject);
});
