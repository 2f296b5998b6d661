/**
 * Tells that a process is gone before its session or its lease has ended: its connection has broken, and
 * its port refuses new ones, so the host is there and nobody listens. Of a host that has lost its power
 * or its link nothing comes, and nothing is told.
 */
import { type Clock, type HostPort, type Network, sleep } from "../../core/io.ts";

/** Says whether nobody listens at the address; false also where that cannot be known. */
export type PortProbe = (address: HostPort) => Promise<boolean>;

const CONNECT_TIMEOUT_MS = 1000;
/** A process that ends closes its sockets one after the other. */
const PAUSES_MS = [20, 100, 300];

/** A probe that makes connections and closes them; several, if the first ones are accepted. */
export function portProbe(io: { readonly clock: Clock; readonly network: Network }): PortProbe {
  return async (address) => {
    for (const pauseMs of PAUSES_MS) {
      if (await refuses(io.network, address)) return true;
      await sleep(io.clock, pauseMs);
    }
    return await refuses(io.network, address);
  };
}

async function refuses(network: Network, address: HostPort): Promise<boolean> {
  try {
    const handlers = { onData() {}, onDrain() {}, onClose() {} };
    const socket = await network.connect(address, handlers, { timeoutMs: CONNECT_TIMEOUT_MS });
    socket.end();
    return false;
  } catch (error) {
    if (!(error instanceof Error)) return false;
    const code = "code" in error ? String(error.code) : "";
    return `${code} ${error.message}`.includes("ECONNREFUSED");
  }
}
