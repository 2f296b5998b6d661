/** HTTP by Bun's own server. */
import type { HttpHandler, HttpLimits, HttpListener } from "../http.ts";
import type { HostPort } from "../../io.ts";

/** See `ServeHttp`. */
export function bunServeHttp(at: HostPort, limits: HttpLimits, handler: HttpHandler): HttpListener {
  const server = Bun.serve({
    hostname: at.host,
    port: at.port,
    // Else another program could bind the port too, and get a share of the requests.
    reusePort: false,
    maxRequestBodySize: limits.bodyBytesMax,
    idleTimeout: limits.idleSeconds,
    development: false,
    fetch: (request, self) => {
      const { address = "", port = 0 } = self.requestIP(request) ?? {};
      return handler(request, { host: address, port });
    },
    error: () => new Response(null, { status: 500 }),
  });
  return {
    address: { host: at.host, port: server.port ?? at.port },
    close: () => server.stop(true),
  };
}
