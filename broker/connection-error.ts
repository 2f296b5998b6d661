/** Why a connection has to be closed; `message` goes to the log. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}
