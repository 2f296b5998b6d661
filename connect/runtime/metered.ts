/** Sources and sinks whose doings are measured, whatever they are. */
import type { PartialSourceRecord } from "../data/record.ts";
import type { SinkDefinition, SinkTask, SourceDefinition } from "../connector.ts";
import type { TaskMeter } from "./task-meter.ts";

/** How long it takes to read a batch, how many records are in it. */
export function meteredSource(definition: SourceDefinition, meter: TaskMeter): SourceDefinition {
  meter.count("source-record-poll", 0);
  return {
    ...definition,
    read: (context) => ({
      [Symbol.asyncIterator]: () => {
        const batches = definition.read(context)[Symbol.asyncIterator]();
        return {
          next: async () => {
            const next = await meter.time("poll-batch-*-time-ms", () => batches.next());
            if (next.done !== true) took(next.value);
            return next;
          },
          return: async () => {
            return await batches.return?.() ?? { done: true, value: undefined };
          },
        };
      },
    }),
  };

  function took(records: readonly PartialSourceRecord[]): void {
    meter.count("source-record-poll", records.length);
    meter.observe("batch-size-*", records.length);
  }
}

/** How long it takes to write a batch and to make it safe, how many records are in it. */
export function meteredSink(definition: SinkDefinition, meter: TaskMeter): SinkDefinition {
  meter.count("sink-record-send", 0);
  return {
    ...definition,
    open: async (context) => {
      const sink = await definition.open(context);
      const metered: SinkTask = {
        write: async (records) => {
          await meter.time("put-batch-*-time-ms", () => sink.write(records));
          meter.count("sink-record-send", records.length);
          meter.observe("batch-size-*", records.length);
        },
        ...(sink.assigned !== undefined && { assigned: sink.assigned.bind(sink) }),
        ...(sink.flush !== undefined &&
          {
            flush: (taken, leaving) =>
              meter.time("flush-*-time-ms", () => sink.flush!(taken, leaving)),
          }),
        ...(sink.revoked !== undefined && { revoked: sink.revoked.bind(sink) }),
        ...(sink.close !== undefined && { close: sink.close.bind(sink) }),
      };
      return metered;
    },
  };
}
