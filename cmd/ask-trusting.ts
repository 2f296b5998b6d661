/** Requests to HTTP servers whose certificates not everybody knows. */

/** As `fetch`, of servers whose certificates these sign, in PEM; null: as the system has it. */
export function askTrusting(
  ca: string | null,
): (url: string, init: RequestInit) => Promise<Response> {
  return ca === null ? fetch : (url, init) => fetch(url, { ...init, tls: { ca } });
}
