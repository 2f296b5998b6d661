import { type ErrorCode, Errors } from "../errors.ts";

/**
 * The bytes are no valid record batch. It is the only error that readers of batches and the
 * decompressors throw on bad input; `code` is what a broker answers to a client that sent them.
 */
export class CorruptRecordError extends Error {
  override readonly name = "CorruptRecordError";
  constructor(message: string, readonly code: ErrorCode = Errors.CORRUPT_MESSAGE) {
    super(message);
  }
}
