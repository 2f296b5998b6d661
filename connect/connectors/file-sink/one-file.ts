/** Lines at the end of one file: what Kafka's `FileStreamSinkConnector` does. */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { FormatError, retriable, rowOf } from "../../formats/index.ts";
import type { FormatWriter } from "../../formats/index.ts";
import type { SinkContext, SinkTask } from "../../index.ts";

/** `writer` is one of lines. */
export async function appendTo(
  path: string,
  writer: FormatWriter,
  content: "value" | "record",
  context: Pick<SinkContext<unknown>, "reject">,
): Promise<SinkTask> {
  const file = await open(path, "a");
  let { size } = await file.stat();
  return {
    async write(records) {
      for (const record of records) {
        try {
          writer.add(rowOf(record, content));
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          await context.reject(record, error);
        }
      }
      const lines = writer.drain("all");
      // The same records come again: a part of them that was written must not stay.
      await retriable(path, async () => {
        try {
          await writeAll(file, lines);
          size += lines.length;
        } catch (error) {
          await file.truncate(size).catch(() => {});
          throw error;
        }
      });
    },
    async flush(taken) {
      await retriable(path, () => file.datasync());
      return taken;
    },
    close: () => file.close(),
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
