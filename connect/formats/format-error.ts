/** A record cannot be written in a format, or bytes are no record of it; the rest can. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
