/** A connection to the simulated etcd as a process on a host has it: a stopped process hears later. */
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import type { SimHost } from "./sim-hosts.ts";

/** What the store answers comes to the process that runs on the host now, or to nobody. */
export function onHost(store: EtcdStore, host: SimHost): EtcdStore {
  const { life } = host;
  const heard = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      answer.then(
        (value) => host.run(life, () => resolve(value)),
        (error: unknown) => host.run(life, () => reject(error)),
      );
    });
  return {
    txn: (txn, timeoutMs) => heard(store.txn(txn, timeoutMs)),
    grantLease: (ttlMs, timeoutMs) => heard(store.grantLease(ttlMs, timeoutMs)),
    keepLeaseAlive: (id, timeoutMs) => heard(store.keepLeaseAlive(id, timeoutMs)),
    revokeLease: (id, timeoutMs) => heard(store.revokeLease(id, timeoutMs)),
    watch: (key, fromRevision, listener) =>
      store.watch(key, fromRevision, {
        onChange: (entry, revision) => host.run(life, () => listener.onChange(entry, revision)),
        onEnd: (message) => host.run(life, () => listener.onEnd(message)),
      }),
  };
}
