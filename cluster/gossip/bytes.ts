/** Reads and writes of gossip's formats: big-endian integers, short strings, addresses. */
import { ipFromBytes, ipToBytes } from "../../core/ip-address.ts";
import { assert } from "../../core/assert.ts";
import type { HostPort } from "../../core/io.ts";

/** The bytes end early or say something that cannot be. Never leaves the decoders. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

const TWO_32 = 0x1_0000_0000;
const encoder = new TextEncoder();

/** Appends to bytes that grow. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All that was written, as a copy. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value & 255);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  /** 0 to 2^48 − 1. */
  u48(value: number): void {
    this.u16(Math.floor(value / TWO_32));
    this.u32(value % TWO_32);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** u8 length, then UTF-8; at most 255 bytes. */
  text(value: string): void {
    const bytes = encoder.encode(value);
    assert(bytes.length <= 255, "a text of gossip is short");
    this.u8(bytes.length);
    this.raw(bytes);
  }

  /** u8 4 or 16, that many bytes of the IP address, u16 port. */
  address(address: HostPort): void {
    const bytes = ipToBytes(address.host);
    assert(bytes !== null, "members have IP addresses");
    this.u8(bytes.length);
    this.raw(bytes);
    this.u16(address.port);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what `ByteWriter` wrote. Every method throws a `MalformedError` at the end of the bytes. */
export class ByteReader {
  #at = 0;
  #buffer: Buffer | null = null;

  constructor(readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  u8(): number {
    const value = this.bytes[this.#at];
    if (value === undefined) throw new MalformedError("the bytes end early");
    this.#at++;
    return value;
  }

  u16(): number {
    return this.u8() << 8 | this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  u48(): number {
    return this.u16() * TWO_32 + this.u32();
  }

  /** The next bytes as a view. */
  raw(count: number): Uint8Array {
    if (count > this.left) throw new MalformedError("the bytes end early");
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  /** What is no UTF-8 becomes U+FFFD. */
  text(): string {
    const length = this.u8();
    if (length > this.left) throw new MalformedError("the bytes end early");
    const { buffer, byteOffset, length: total } = this.bytes;
    this.#buffer ??= Buffer.from(buffer, byteOffset, total);
    this.#at += length;
    return this.#buffer.toString("utf8", this.#at - length, this.#at);
  }

  address(): HostPort {
    const length = this.u8();
    if (length !== 4 && length !== 16) throw new MalformedError("no IP address");
    const host = length === 4
      ? `${this.u8()}.${this.u8()}.${this.u8()}.${this.u8()}`
      : ipFromBytes(this.raw(length));
    const port = this.u16();
    if (port === 0) throw new MalformedError("no port");
    return { host, port };
  }
}

/** Runs a decoder; null if the bytes are malformed. */
export function decodeOrNull<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}
