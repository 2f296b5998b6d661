import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { count } from "../output.ts";
import { onInterrupt, say } from "../terminal.ts";
import { TopicLoader } from "./copy/loader.ts";
import { CountedProgress } from "../progress.ts";
import { describeSource, readTopic } from "./copy/source.ts";
import { openTarget } from "./copy/target.ts";
import { reportCopy } from "./load.ts";

/** Options of `topic clone`. */
export interface CloneOptions extends AdminOptions {
  readonly toBrokers?: string | undefined;
  readonly replication?: number | undefined;
  readonly groups?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream topic clone`. */
export async function cloneTopic(
  topic: string,
  name: string,
  options: CloneOptions,
): Promise<void> {
  if (topic === name && options.toBrokers === undefined) {
    const what = "a topic cannot be cloned into itself";
    throw new OperatorError(what, "", "name another, or another cluster with --to-brokers", 2);
  }
  await withAdmin(options, async (admin) => {
    const to = { ...options, brokers: options.toBrokers ?? options.brokers };
    await withAdmin(to, (target) => clone(admin, target, topic, name, options, to));
  });
}

async function clone(
  admin: Admin,
  target: Admin,
  topic: string,
  name: string,
  options: CloneOptions,
  to: CloneOptions,
): Promise<void> {
  const signal = onInterrupt();
  try {
    const source = await describeSource(admin, topic, options.groups ?? false);
    const isSameCluster = options.toBrokers === undefined;
    await openTarget(
      target,
      name,
      source,
      options.replication ?? (isSameCluster ? source.replicationFactor : -1),
    );
    const loader = await TopicLoader.open(target, name, source, to, signal);
    if (loader.present > 0) {
      say(`kstream: topic "${name}" has ${count(loader.present, "record")}: going on behind them`);
    }
    const progress = new CountedProgress(
      "cloned",
      source.partitions.reduce((sum, range) => sum + range.endOffset - range.startOffset, 0),
    );
    try {
      const done = new Map(source.partitions.map((each) => [each.partition, each.startOffset]));
      for await (const chunk of readTopic(topic, source.partitions, options, signal)) {
        for (const run of chunk.batches) await loader.take(chunk.partition, run);
        progress.add(chunk.nextOffset - (done.get(chunk.partition) ?? 0), chunk.sizeBytes);
        done.set(chunk.partition, chunk.nextOffset);
      }
      await loader.finish();
    } finally {
      progress.end();
    }
    await reportCopy(target, name, `topic ${topic}`, source, loader, options.json ?? false);
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      throw new OperatorError("interrupted", "run it again to go on", "", 4);
    }
    if (error instanceof UnknownTopicError) {
      throw await missingTopic(admin.cluster, topic, "see: kstream topic list");
    }
    throw refusal(`cannot clone topic "${topic}"`, error);
  }
}
