/**
 * A value is not what it has to be: bytes that a converter does not know, a struct that does not fit
 * its schema, a field that a transform cannot work on. The message says which part and why.
 */
export class DataError extends Error {
  override readonly name: string = "DataError";
}
