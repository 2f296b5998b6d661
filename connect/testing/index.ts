/**
 * `kstream/connect/testing`: runs connectors without a broker, as the runtime would.
 *
 *     import { runSource, runSink, sinkRecords } from "kstream/connect/testing";
 *     import counter from "./counter.ts";
 *
 *     const first = await runSource(counter, { topic: "t" }, { until: 3 });
 *     expect(first.values()).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
 *     // Begun again where it was committed:
 *     const second = await runSource(counter, { topic: "t" }, { until: 1, offsets: first.offsets });
 *     expect(second.values()).toEqual([{ n: 3 }]);
 *
 *     const run = await runSink(mySink, { url }, sinkRecords([{ id: 1 }, { id: 2 }]));
 *     expect(run.committed()).toEqual({ "test-0": 2n });
 */
export { realClock, VirtualClock } from "./clocks.ts";
export { TestOffsets } from "./offsets.ts";
export { runSink, sinkRecord, sinkRecords, SinkRun, startSink } from "./sink-run.ts";
export type { SinkRunOptions, TopicPartition } from "./sink-run.ts";
export { runSource, SourceRun, startSource } from "./source-run.ts";
export type { SourceRunOptions, Until } from "./source-run.ts";
export { taskConfigs } from "./task.ts";
export type { RunOptions } from "./task.ts";
