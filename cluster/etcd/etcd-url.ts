/**
 * `etcd://[user:password@]host[:port][,host[:port]…][?option=value&…]`: where the metadata of a
 * cluster is. Options: `tls=true` for TLS with certificates that the system trusts; `ca=FILE` trusts
 * those of a file; `cert=FILE` and `key=FILE` prove who we are. Each of the latter means TLS, too.
 */
import { OperatorError } from "../../core/operator-error.ts";
import { EtcdHttpStore } from "./etcd-http-store.ts";

const DEFAULT_PORT = 2379;
const FILES = ["ca", "cert", "key"] as const;
const WHAT_TO_DO = "write etcd://user:password@host:2379,host2:2379?ca=ca.pem";

/** What the URL says. Files are named, not read. */
export interface EtcdAddress {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoints: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** Present for TLS; the paths of PEM files. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

function refuse(why: string): OperatorError {
  return new OperatorError("cannot use the address of etcd", why, WHAT_TO_DO, 2);
}

/** Throws an `OperatorError` (usage), which never shows the password. */
export function parseEtcdUrl(url: string): EtcdAddress {
  const parts = /^etcd:\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(url);
  const hosts = parts?.[2];
  if (hosts === undefined) throw refuse("it is not as addresses of etcd are written");
  const options = new URLSearchParams(parts?.[3] ?? "");
  const tls = tlsOf(options);
  const scheme = tls === undefined ? "http" : "https";
  const endpoints = hosts.split(",").map((host) => endpointOf(scheme, host));
  return { endpoints, ...userOf(parts?.[1]), ...(tls === undefined ? {} : { tls }) };
}

function endpointOf(scheme: string, host: string): string {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(host.trim());
  const port = Number(parts?.[2] ?? DEFAULT_PORT);
  if (parts === null || port < 1 || port > 65_535) {
    throw refuse(`${JSON.stringify(host)} is no host with a port`);
  }
  return `${scheme}://${parts[1]}:${port}`;
}

function userOf(text: string | undefined): { user?: string; password?: string } {
  if (text === undefined) return {};
  const at = text.indexOf(":");
  if (at < 1) throw refuse("before the @ stands a user with a password: user:password");
  try {
    const [user, password] = [text.slice(0, at), text.slice(at + 1)].map(decodeURIComponent);
    return { user, password };
  } catch {
    throw refuse("user and password hold a % that is not written as %25");
  }
}

function tlsOf(options: URLSearchParams): EtcdAddress["tls"] {
  for (const name of options.keys()) {
    if (!["tls", ...FILES].includes(name)) {
      throw refuse(`there is no option ${JSON.stringify(name)}; there are tls, ca, cert and key`);
    }
  }
  const wanted = options.get("tls") ?? "";
  if (!["", "true", "false"].includes(wanted)) throw refuse("tls is true or false");
  const files = FILES.flatMap((name) => {
    const path = options.get(name);
    return path === null ? [] : [[name, path] as const];
  });
  if (files.length > 0 && wanted === "false") {
    throw refuse("tls=false contradicts the certificates");
  }
  if (options.has("cert") !== options.has("key")) throw refuse("cert and key belong together");
  return files.length > 0 || wanted === "true" ? Object.fromEntries(files) : undefined;
}

/** The store at an address. `readText` reads a file, and throws what its user should see. */
export function etcdStoreAt(
  address: EtcdAddress,
  readText: (path: string) => string,
): EtcdHttpStore {
  const { tls, ...rest } = address;
  if (tls === undefined) return new EtcdHttpStore(rest);
  const texts = Object.entries(tls).map(([name, path]) => [name, readText(path)]);
  return new EtcdHttpStore({ ...rest, tls: Object.fromEntries(texts) });
}
