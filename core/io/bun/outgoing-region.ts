import { DiskError, type FileRegion } from "../../io.ts";
import { BunDiskFile } from "./disk.ts";
import { sendFile } from "./libc.ts";

/** Read and written at once where sendfile cannot go on. */
const COPY_BYTES = 64 * 1024;

/** What the socket needs to be able to do: write as much as the system takes, negative if broken. */
interface RawSocket {
  readonly fd?: number;
  write(bytes: Uint8Array): number;
}

/** Reused: the system has copied it when `write` returns. */
const copyBuffer = new Uint8Array(COPY_BYTES);

function openOrNull(region: FileRegion): ReturnType<FileRegion["open"]> | null {
  try {
    return region.open();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return null;
  }
}

/** A region of a file on its way into a socket. Holds the file open until it is sent or dropped. */
export class OutgoingRegion {
  /** Bytes that are still to be sent. */
  length: number;
  #position: number;
  /** Opened at once: until its turn comes the file may be removed. Null if it cannot be had. */
  #opened: ReturnType<FileRegion["open"]> | null;

  constructor(region: FileRegion) {
    this.length = region.length;
    this.#position = region.position;
    this.#opened = openOrNull(region);
  }

  /**
   * Sends as much as the socket takes. `full`: to be called again when it has room. Under TLS the bytes
   * have to pass through this process.
   */
  send(socket: RawSocket, security: "plain" | "tls"): "sent" | "full" | "failed" {
    try {
      if (this.#opened === null) return "failed";
      const { file } = this.#opened;
      while (this.length > 0) {
        const { fd } = socket;
        const sent = security === "plain" && file instanceof BunDiskFile && fd !== undefined
          ? sendFile(fd, file.fd, this.#position, this.length)
          : 0;
        if (sent > 0) {
          this.#advance(sent);
          continue;
        }
        // Full, failed or not possible here: an ordinary write tells which, and makes the socket
        // say when it has room.
        const bytes = copyBuffer.subarray(0, Math.min(COPY_BYTES, this.length));
        if (file.readSync(bytes, this.#position) < bytes.length) return this.#fail();
        const taken = socket.write(bytes);
        if (taken < 0) return this.#fail();
        this.#advance(taken);
        if (taken < bytes.length) return "full";
      }
      this.release();
      return "sent";
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return this.#fail();
    }
  }

  /** Lets go of the file. */
  release(): void {
    this.#opened?.release();
    this.#opened = null;
  }

  #advance(bytes: number): void {
    this.#position += bytes;
    this.length -= bytes;
  }

  #fail(): "failed" {
    this.release();
    return "failed";
  }
}
