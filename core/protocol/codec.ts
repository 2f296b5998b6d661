/**
 * Decodes and encodes messages. Codecs are compiled from the definitions at first use. Whatever the
 * bytes, and for values of the declared types, nothing here throws anything but `ProtocolError`.
 *
 * Decoded byte fields are views into the message. Encoders return chunks in a row, so that record
 * batches go from a file to the socket uncopied; `joinChunks` makes one array of them.
 */
import { assert } from "../assert.ts";
import type { Chunk } from "../io.ts";
import { WIRE_REQUEST_ELEMENTS_MAX, WIRE_RESPONSE_ELEMENTS_MAX } from "../limits.ts";
import { compileDecoder, type Decoder } from "./compile-decoder.ts";
import { compileEncoder, type Encoder } from "./compile-encoder.ts";
import { requestHeader, responseHeader } from "./headers.ts";
import { ProtocolError } from "./protocol-error.ts";
import {
  type Api,
  type DataOf,
  type EncodableData,
  type EncodableRequest,
  type EncodableResponse,
  type Message,
  parseVersions,
  type RequestOf,
  type ResponseOf,
} from "./schema.ts";
import { cursor, encodeInScratch, scratch } from "./wire.ts";

export { ProtocolError } from "./protocol-error.ts";

interface Codec {
  readonly min: number;
  readonly max: number;
  decode?: Decoder;
  encode?: Encoder;
}

const codecs = new WeakMap<Message, Codec>();

function codecOf(message: Message, version: number): Codec {
  let codec = codecs.get(message);
  if (codec === undefined) {
    codec = { ...parseVersions(message.versions) };
    codecs.set(message, codec);
  }
  if (!(version >= codec.min && version <= codec.max)) {
    const range = `${codec.min} to ${codec.max}`;
    throw new ProtocolError(
      "unsupported-version",
      `${message.name} has versions ${range}, not ${version}`,
    );
  }
  return codec;
}

/** Decodes any message that begins at `offset`; bytes after it are ignored, as in Kafka. */
export function decodeData<M extends Message>(
  message: M,
  version: number,
  bytes: Uint8Array,
  offset = 0,
): DataOf<M> {
  const decode = decoderOf(message, version);
  return decode(bytes, offset, version, WIRE_REQUEST_ELEMENTS_MAX) as DataOf<M>;
}

/** Encodes any message. */
export function encodeData<M extends Message>(
  message: M,
  version: number,
  value: EncodableData<M>,
): Chunk[] {
  const encode = encoderOf(message, version);
  return encodeInScratch(message.name, () => encode(value, 0, version));
}

function decoderOf(message: Message, version: number): Decoder {
  const codec = codecOf(message, version);
  return codec.decode ??= compileDecoder(message);
}

function encoderOf(message: Message, version: number): Encoder {
  const codec = codecOf(message, version);
  return codec.encode ??= compileEncoder(message);
}

/** Decodes the body of a request, which begins at `offset`. */
export function decodeRequest<A extends Api>(
  api: A,
  version: number,
  bytes: Uint8Array,
  offset = 0,
): RequestOf<A> {
  return decodeData(api.request, version, bytes, offset) as RequestOf<A>;
}

/** Decodes the body of a response, which begins at `offset`. */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  bytes: Uint8Array,
  offset = 0,
): ResponseOf<A> {
  const decode = decoderOf(api.response, version);
  return decode(bytes, offset, version, WIRE_RESPONSE_ELEMENTS_MAX) as ResponseOf<A>;
}

/** Encodes the body of a request. */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  value: EncodableRequest<A>,
): Chunk[] {
  return encodeData(api.request, version, value);
}

/** Encodes the body of a response. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  value: EncodableResponse<A>,
): Chunk[] {
  return encodeData(api.response, version, value);
}

/** The chunks as one array; a single chunk is returned as it is. None may be a file's region. */
export function joinChunks(chunks: readonly Chunk[]): Uint8Array {
  let sizeBytes = 0;
  for (const chunk of chunks) sizeBytes += chunk.length;
  const only = chunks.length === 1 ? chunks[0] : undefined;
  if (only instanceof Uint8Array) return only;
  const joined = new Uint8Array(sizeBytes);
  let position = 0;
  for (const chunk of chunks) {
    assert(chunk instanceof Uint8Array, "only bytes in memory are joined");
    joined.set(chunk, position);
    position += chunk.length;
  }
  return joined;
}

// ---- Headers and frames ----

const API_VERSIONS_KEY = 18;

function isFlexible(api: Api, version: number): boolean {
  const { min, max } = parseVersions(api.flexible);
  return version >= min && version <= max;
}

/** The version of the header before a request. */
export function requestHeaderVersion(api: Api, version: number): number {
  return isFlexible(api, version) ? 2 : 1;
}

/** The version of the header before a response; that of ApiVersions is always 0 (KIP-511). */
export function responseHeaderVersion(api: Api, version: number): number {
  return api.key !== API_VERSIONS_KEY && isFlexible(api, version) ? 1 : 0;
}

/** What stands before a request. */
export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  /** Null also where the API is unknown, as then the header's version is unknown. */
  readonly clientId: string | null;
  /** The API, or undefined if the key is unknown. The version may still be unknown. */
  readonly api: Api | undefined;
  /** Where the body begins. */
  readonly bodyOffset: number;
}

/** Decodes the header of a request. `bytes` begins after the int32 size of the frame. */
export function decodeRequestHeader(
  bytes: Uint8Array,
  apiByKey: ReadonlyMap<number, Api>,
): RequestHeader {
  if (bytes.length < 8) throw new ProtocolError("malformed", "request of less than 8 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const api = apiByKey.get(view.getInt16(0));
  if (api === undefined) {
    return {
      apiKey: view.getInt16(0),
      apiVersion: view.getInt16(2),
      correlationId: view.getInt32(4),
      clientId: null,
      api,
      bodyOffset: 8,
    };
  }
  const version = requestHeaderVersion(api, view.getInt16(2));
  const header = decodeData(requestHeader, version, bytes);
  return {
    apiKey: header.requestApiKey,
    apiVersion: header.requestApiVersion,
    correlationId: header.correlationId,
    clientId: header.clientId,
    api,
    bodyOffset: cursor.position,
  };
}

/** Decodes the header of a response. `bytes` begins after the int32 size of the frame. */
export function decodeResponseHeader(
  api: Api,
  version: number,
  bytes: Uint8Array,
): { readonly correlationId: number; readonly bodyOffset: number } {
  const header = decodeData(responseHeader, responseHeaderVersion(api, version), bytes);
  return { correlationId: header.correlationId, bodyOffset: cursor.position };
}

/** Encodes a request with its header and the size before it. */
export function encodeRequestFrame<A extends Api>(
  api: A,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  value: EncodableRequest<A>,
): Chunk[] {
  const headerVersion = requestHeaderVersion(api, version);
  return encodeFrame(
    requestHeader,
    headerVersion,
    {
      requestApiKey: api.key,
      requestApiVersion: version,
      ...header,
    },
    api.request,
    version,
    value,
  );
}

/** Encodes a response with its header and the size before it. */
export function encodeResponseFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  value: EncodableResponse<A>,
): Chunk[] {
  const headerVersion = responseHeaderVersion(api, version);
  return encodeFrame(
    responseHeader,
    headerVersion,
    { correlationId },
    api.response,
    version,
    value,
  );
}

function encodeFrame<H extends Message>(
  headerMessage: H,
  headerVersion: number,
  header: EncodableData<H>,
  message: Message,
  version: number,
  value: unknown,
): Chunk[] {
  const encodeHeader = encoderOf(headerMessage, headerVersion);
  const encodeBody = encoderOf(message, version);
  return encodeInScratch(message.name, () => {
    const end = encodeBody(value, encodeHeader(header, 4, headerVersion), version);
    let sizeBytes = end - 4;
    for (const bytes of scratch.cutBytes) sizeBytes += bytes.length;
    scratch.view.setInt32(0, sizeBytes);
    return end;
  });
}

// ---- Data with a version before it, and records of coordinators ----

/** Encodes a message after an int16 of its version, as record values and consumers' metadata are. */
export function encodeVersioned<M extends Message>(
  message: M,
  version: number,
  value: EncodableData<M>,
): Uint8Array {
  return encodePrefixed(message, version, version, value);
}

/** Encodes a message of version `version` after an int16 `prefix`: a record key after its type. */
export function encodePrefixed<M extends Message>(
  message: M,
  prefix: number,
  version: number,
  value: EncodableData<M>,
): Uint8Array {
  const encode = encoderOf(message, version);
  return joinChunks(encodeInScratch(message.name, () => {
    scratch.view.setInt16(0, prefix);
    return encode(value, 2, version);
  }));
}

/** The int16 before a message: the version of a value, the type of a coordinator's record key. */
export function decodePrefix(bytes: Uint8Array): number {
  if (bytes.length < 2) throw new ProtocolError("malformed", "less than 2 bytes");
  return (bytes[0]! << 8 | bytes[1]!) << 16 >> 16;
}

/**
 * Decodes a message after an int16 of its version. With `newer: "latest"`, a version after the last
 * is read as the last, as consumers do with one another's metadata; else it is refused.
 */
export function decodeVersioned<M extends Message>(
  message: M,
  bytes: Uint8Array,
  newer: "refuse" | "latest" = "refuse",
): DataOf<M> {
  const version = decodePrefix(bytes);
  const { max } = parseVersions(message.versions);
  return decodeData(message, newer === "latest" ? Math.min(version, max) : version, bytes, 2);
}
