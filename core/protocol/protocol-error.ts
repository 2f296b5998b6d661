/**
 * Why a message could not be decoded or encoded:
 * - `malformed`: the bytes are no such message; whoever sent them gets the connection closed.
 * - `unsupported-version`: the version is not defined, or it cannot carry a value that was set.
 * - `invalid-value`: the value to be encoded does not fit its field.
 */
export type ProtocolErrorReason = "malformed" | "unsupported-version" | "invalid-value";

/** The only thing that decoders and encoders of the wire protocol throw. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  constructor(readonly reason: ProtocolErrorReason, message: string) {
    super(message);
  }
}
