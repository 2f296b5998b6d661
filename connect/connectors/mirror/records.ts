/**
 * Records of mirrors' own topics, as Kafka's `OffsetSync`, `Checkpoint` and `Heartbeat` lay them out:
 * big-endian numbers, and texts of UTF-8 behind a length of 16 bits. Readers answer null to what is none.
 */

export interface KeyAndValue {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** A record of the source and where its copy is. */
export interface OffsetSync {
  readonly topic: string;
  readonly partition: number;
  readonly upstream: number;
  readonly downstream: number;
}

/** Where a group of the source would go on in the target. */
export interface Checkpoint {
  readonly group: string;
  /** As it is called in the target. */
  readonly topic: string;
  readonly partition: number;
  readonly upstream: number;
  readonly downstream: number;
  readonly metadata: string;
}

const VERSION = 0;

export function writeOffsetSync(sync: OffsetSync): KeyAndValue {
  const { topic, partition, upstream, downstream } = sync;
  return {
    key: joined(text(topic), int32(partition)),
    value: joined(int64(upstream), int64(downstream)),
  };
}

export function readOffsetSync(key: Uint8Array | null, value: Uint8Array | null) {
  return read(key, value, (keys, values): OffsetSync => ({
    topic: keys.text(),
    partition: keys.int32(),
    upstream: values.int64(),
    downstream: values.int64(),
  }));
}

export function writeCheckpoint(checkpoint: Checkpoint): KeyAndValue {
  const { group, topic, partition, upstream, downstream, metadata } = checkpoint;
  return {
    key: joined(text(group), text(topic), int32(partition)),
    value: joined(int16(VERSION), int64(upstream), int64(downstream), text(metadata)),
  };
}

export function readCheckpoint(key: Uint8Array | null, value: Uint8Array | null) {
  return read(key, value, (keys, values): Checkpoint | null => {
    if (values.int16() !== VERSION) return null;
    return {
      group: keys.text(),
      topic: keys.text(),
      partition: keys.int32(),
      upstream: values.int64(),
      downstream: values.int64(),
      metadata: values.text(),
    };
  });
}

export function writeHeartbeat(source: string, target: string, timeMs: number): KeyAndValue {
  return {
    key: joined(text(source), text(target)),
    value: joined(int16(VERSION), int64(timeMs)),
  };
}

function read<T>(
  key: Uint8Array | null,
  value: Uint8Array | null,
  parse: (key: Reader, value: Reader) => T,
): T | null {
  if (key === null || value === null) return null;
  try {
    return parse(new Reader(key), new Reader(value));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int16(): number {
    return this.#view.getInt16(this.#skip(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#skip(4));
  }

  int64(): number {
    return Number(this.#view.getBigInt64(this.#skip(8)));
  }

  text(): string {
    const length = this.int16();
    if (length < 0 || this.#at + length > this.bytes.length) throw new RangeError("cut off");
    const start = this.#skip(length);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }

  #skip(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

function joined(...parts: Buffer[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
