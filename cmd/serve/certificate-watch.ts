/** Reads the certificates of listeners again when their files have changed. */
import type { ListenerSpec } from "../../broker/listeners.ts";
import type { Logger } from "../../core/logger.ts";
import { fingerprint, type ReadTls, readTls, type TlsSources, warnOfEnd } from "./tls.ts";

/** How often the files are looked at. */
const INTERVAL_MS = 5_000;

/** A listener with TLS. */
export interface WatchedListener {
  readonly listener: ListenerSpec;
  /** Read again and again; what is used is what was read last without fault. */
  read: ReadTls;
}

/** What somebody has to be told. */
export interface CertificateWatchOptions {
  readonly sources: TlsSources;
  readonly logger: Logger;
  /** Puts it in force. */
  renew(listener: string, read: ReadTls): Promise<void>;
  /** Default: 5 s. */
  readonly intervalMs?: number;
}

/** Looks at the files until the function that is returned is called. */
export function watchCertificates(
  listeners: readonly WatchedListener[],
  options: CertificateWatchOptions,
): () => void {
  const prints = new Map(listeners.map((it) => [it, fingerprint(it.read.files)]));
  let isBusy = false;
  const look = async () => {
    if (isBusy) return;
    isBusy = true;
    for (const watched of listeners) {
      const print = fingerprint(watched.read.files);
      if (print === prints.get(watched)) continue;
      prints.set(watched, print);
      await readAgain(watched, options);
    }
    isBusy = false;
  };
  const timer = setInterval(() => void look(), options.intervalMs ?? INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function readAgain(
  watched: WatchedListener,
  { sources, logger, renew }: CertificateWatchOptions,
): Promise<void> {
  const { name } = watched.listener;
  try {
    const read = readTls(watched.listener, sources);
    const isSame = JSON.stringify(read.tls.options) === JSON.stringify(watched.read.tls.options);
    watched.read = read;
    if (isSame) return;
    await renew(name, read);
    const ends = new Date(read.keyStore.endsMs).toISOString();
    logger.info("a listener has new certificates", { listener: name, ends });
    warnOfEnd(logger, name, read, sources.nowMs());
  } catch (error) {
    // Files that come one after the other do not fit for a while: the next look sees them whole.
    const why = error instanceof Error ? error.message : String(error);
    logger.warn("changed certificates are not taken, the old ones stay", { listener: name, why });
  }
}
