/** HTTP by Bun's own server. Bodies are read, and responses made, no faster than the other side goes. */
import type {
  HttpExchange,
  HttpHandler,
  HttpLimits,
  HttpListener,
  HttpTls,
  WebSocketHandlers,
  WebSocketPeer,
} from "../http.ts";
import type { HostPort } from "../../io.ts";

interface SocketState {
  readonly open: (socket: WebSocketPeer) => WebSocketHandlers;
  handlers: WebSocketHandlers | null;
}

/** See `ServeHttp`. */
export function bunServeHttp(
  at: HostPort,
  limits: HttpLimits,
  handler: HttpHandler,
  tls: HttpTls | null,
): HttpListener {
  const server = Bun.serve<SocketState>({
    hostname: at.host,
    port: at.port,
    // Else another program could bind the port too, and get a share of the requests.
    reusePort: false,
    maxRequestBodySize: limits.bodyBytesMax,
    idleTimeout: limits.idleSeconds,
    development: false,
    ...(tls !== null && { tls: { cert: tls.cert, key: tls.key } }),
    fetch: async (request, self) => {
      const { address = "", port = 0 } = self.requestIP(request) ?? {};
      let isUpgraded = false;
      const exchange: HttpExchange = {
        setIdleSeconds: (seconds) => self.timeout(request, seconds),
        upgrade: (open) => isUpgraded = self.upgrade(request, { data: { open, handlers: null } }),
      };
      const response = await handler(request, { host: address, port }, exchange);
      return isUpgraded ? undefined : response;
    },
    error: () => new Response(null, { status: 500 }),
    websocket: {
      maxPayloadLength: limits.frameBytesMax,
      idleTimeout: limits.idleSeconds,
      open: (socket) => {
        socket.data.handlers = socket.data.open({
          get pendingBytes() {
            return socket.getBufferedAmount();
          },
          send: (text) => void socket.send(text),
          close: (code, reason) => socket.close(code, reason),
        });
      },
      message: (socket, message) => {
        if (typeof message === "string") socket.data.handlers?.onText(message);
        else socket.close(1003, "frames are JSON texts");
      },
      drain: (socket) => socket.data.handlers?.onDrain(),
      close: (socket) => socket.data.handlers?.onClose(),
    },
  });
  return {
    address: { host: at.host, port: server.port ?? at.port, isTls: tls !== null },
    close: () => server.stop(true),
  };
}
