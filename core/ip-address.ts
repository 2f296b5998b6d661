/** IP addresses in text form. */

/** Whether only processes of the same host can reach what has this name or address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Whether the text is an IPv4 or IPv6 address, without brackets and zone. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || ipv6Groups(text) !== null;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

/**
 * An address as Java prints it (`InetAddress.getHostAddress`), which is how ACLs name hosts: IPv4
 * within IPv6 as IPv4, other IPv6 with all eight groups. What is no IPv6 address stays as it is.
 */
export function javaHost(host: string): string {
  if (!host.includes(":")) return host;
  const groups = ipv6Groups(host.replace(/%.*$/, ""));
  if (groups === null) return host;
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!isMapped) return groups.map((group) => group.toString(16)).join(":");
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/**
 * The 4 or 16 bytes of an address, or null if it is none. IPv4 within IPv6 (`::ffff:10.0.0.1`) is
 * IPv4, so that one address has one form.
 */
export function ipToBytes(text: string): Uint8Array | null {
  if (isIpv4(text)) return Uint8Array.from(text.split("."), Number);
  const groups = ipv6Groups(text);
  if (groups === null) return null;
  const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && groups[5] === 0xffff;
  return isMapped ? bytes.slice(12) : bytes;
}

/** The text of 4 or 16 bytes; of IPv6 as RFC 5952 writes it, the longest run of zeros as `::`. */
export function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((bytes[2 * index] ?? 0) << 8 | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  const runs = groups.map((_, start) => {
    const end = groups.findIndex((group, index) => index >= start && group !== "0");
    return (end < 0 ? groups.length : end) - start;
  });
  const longest = Math.max(...runs);
  if (longest < 2) return groups.join(":");
  const at = runs.indexOf(longest);
  return `${groups.slice(0, at).join(":")}::${groups.slice(at + longest).join(":")}`;
}

/** The eight 16-bit groups of an IPv6 address, or null. */
function ipv6Groups(text: string): number[] | null {
  const sides = text.split("::");
  if (sides.length > 2) return null;
  const parsed = sides.map((side) => side === "" ? [] : side.split(":").flatMap(parseGroup));
  const groups = parsed.flat();
  if (groups.some(Number.isNaN)) return null;
  if (sides.length === 1) return groups.length === 8 ? groups : null;
  if (groups.length > 7) return null;
  const gap = Array.from({ length: 8 - groups.length }, () => 0);
  return [...parsed[0] ?? [], ...gap, ...parsed[1] ?? []];
}

function parseGroup(group: string, index: number, all: readonly string[]): number[] {
  if (index === all.length - 1 && isIpv4(group)) {
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a << 8 | b, c << 8 | d];
  }
  return [/^[0-9a-fA-F]{1,4}$/.test(group) ? parseInt(group, 16) : NaN];
}
