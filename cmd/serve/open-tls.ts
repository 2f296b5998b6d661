/** TLS of the listeners of `serve`, as it is at the start and as it is renewed: see `tls.ts`. */
import type { ListenerSpec } from "../../broker/listeners.ts";
import type { RunningBroker } from "../../broker/start-broker.ts";
import { type ListenerTls, withNodes } from "../../broker/tls/listener-tls.ts";
import { watchCertificates, type WatchedListener } from "./certificate-watch.ts";
import {
  type ListenerSecurity,
  type NodesTls,
  type SecuritySources,
  speaksTls,
  superUserSet,
} from "./listener-security.ts";
import { checkTlsFlags, type ReadTls, readTls, warnOfEnd } from "./tls.ts";

/** Reads all of it. Throws an `OperatorError` (usage). */
export function openTls(
  listeners: readonly ListenerSpec[],
  sources: SecuritySources,
): ListenerSecurity {
  checkTlsFlags(sources.flags, listeners.some(({ protocol }) => speaksTls(protocol)));
  const { logger, between, nowMs } = sources;
  const watched = listeners.filter(({ protocol }) => speaksTls(protocol))
    .map((listener): WatchedListener => ({ listener, read: readTls(listener, sources) }));
  for (const { listener, read } of watched) warnOfEnd(logger, listener.name, read, nowMs());
  const secured = listeners.map((listener) => {
    const found = watched.find((each) => each.listener === listener);
    return found === undefined
      ? listener
      : { ...listener, tls: inForce(listener.name, found.read, sources) };
  });
  const ofNodes = watched.find(({ listener }) => listener.name === between);
  return {
    listeners: secured,
    ofNodes: ofNodes === undefined ? null : nodesTls(ofNodes),
    watch: (running: RunningBroker) => {
      watchCertificates(watched, {
        sources,
        logger,
        renew: (name, read) => running.renewTls(name, inForce(name, read, sources)),
      });
    },
  };
}

/** Who shows a node's certificate where nodes meet, and all have to show one, is a node. */
function inForce(name: string, { tls }: ReadTls, sources: SecuritySources): ListenerTls {
  const isMutual = name === sources.between && tls.options.clientAuth === "required";
  return isMutual ? withNodes(tls, superUserSet(sources)) : tls;
}

function nodesTls(watched: WatchedListener): NodesTls {
  const { tls, keyStore } = watched.read;
  const principal = tls.identify(keyStore.der);
  return {
    options: () => watched.read.asClient,
    isMutual: tls.options.clientAuth === "required",
    principal: principal === null ? null : `${principal.type}:${principal.name}`,
  };
}
