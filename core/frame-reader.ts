/** A frame announced a length outside the limit. */
export class FrameTooLargeError extends Error {
  override readonly name = "FrameTooLargeError";
  constructor(readonly lengthBytes: number) {
    super(`a frame of ${lengthBytes} bytes is outside the limit`);
  }
}

/**
 * Cuts a byte stream into Kafka's frames: an int32 length, then as many bytes. A frame that lies
 * within one chunk is a view of it; one that spans chunks is put together once it is complete, so
 * an announced length alone costs no memory.
 */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  /** Of the frame being read, with its length field; −1 while the length field is incomplete. */
  #needBytes = -1;

  constructor(readonly maxFrameBytes: number) {}

  /** Takes the next chunk, whose ownership passes here. Throws `FrameTooLargeError`. */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
    let bytes = chunk;
    if (this.#partsBytes > 0) {
      this.#parts.push(chunk);
      this.#partsBytes += chunk.length;
      if (this.#needBytes < 0 && this.#partsBytes >= 4) {
        this.#parts = [concat(this.#parts, this.#partsBytes)];
        this.#needBytes = 4 + this.#length(this.#parts[0]!, 0);
      }
      if (this.#needBytes < 0 || this.#partsBytes < this.#needBytes) return;
      bytes = this.#parts.length === 1 ? this.#parts[0]! : concat(this.#parts, this.#partsBytes);
      this.#parts = [];
      this.#partsBytes = 0;
      this.#needBytes = -1;
    }
    let position = 0;
    while (bytes.length - position >= 4) {
      const end = position + 4 + this.#length(bytes, position);
      if (end > bytes.length) {
        this.#needBytes = end - position;
        break;
      }
      onFrame(bytes.subarray(position + 4, end));
      position = end;
    }
    if (position === bytes.length) return;
    this.#parts.push(bytes.subarray(position));
    this.#partsBytes = bytes.length - position;
  }

  #length(bytes: Uint8Array, position: number): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset + position).getInt32(0);
    if (length < 0 || length > this.maxFrameBytes) throw new FrameTooLargeError(length);
    return length;
  }
}

function concat(parts: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const whole = new Uint8Array(totalBytes);
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
