/** A worker that looks for its brokers says soon that none answers. */
import { Cluster } from "../../client/cluster.ts";
import { tellSilence } from "../../client/tell-silence.ts";
import type { Logger } from "../../core/logger.ts";
import { clientIo, clientOptions } from "../client.ts";

/** Looks once, beside what the worker does, until that has ended. */
export async function whileTellingSilence<T>(
  options: Parameters<typeof clientOptions>[0],
  logger: Logger,
  begin: () => Promise<T>,
): Promise<T> {
  const cluster = new Cluster(clientIo, clientOptions(options));
  const begun = new AbortController();
  void tellSilence(cluster, begun.signal, (error) => {
    logger.warn("no broker answers yet", { error });
  });
  try {
    return await begin();
  } finally {
    begun.abort();
    cluster.close();
  }
}
