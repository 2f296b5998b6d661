/** systemd's end of sd_notify: a Unix datagram socket. Neither Bun nor Node has them, the C library does. */
import { dlopen, FFIType } from "bun:ffi";

const ADDRESS_BYTES = 110;
const MESSAGE_BYTES_MAX = 1000;
const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40];

/** A bound socket. `close` it. */
export interface NotifySocket {
  /** What has come to it, the oldest first, one for each call; null: nothing more. */
  next(): string | null;
  close(): void;
}

/** Binds it to a path, or with `@` before to a name. */
export function notifySocket(path: string): NotifySocket {
  const { i32, u32, u64, i64_fast, ptr } = FFIType;
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, ptr, u32], returns: i32 },
    recv: { args: [i32, ptr, u64, i32], returns: i64_fast },
    close: { args: [i32], returns: i32 },
  });
  const isAbstract = path.startsWith("@");
  const name = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : path);
  const address = new Uint8Array(ADDRESS_BYTES);
  address[0] = AF_UNIX;
  address.set(name, 2);
  const fd = symbols.socket(AF_UNIX, SOCK_DGRAM, 0);
  const outcome = symbols.bind(fd, address, 2 + name.length + (isAbstract ? 0 : 1));
  if (outcome !== 0) throw new Error(`cannot bind ${path}`);
  return {
    next: () => {
      const buffer = new Uint8Array(MESSAGE_BYTES_MAX);
      const count = Number(symbols.recv(fd, buffer, MESSAGE_BYTES_MAX, MSG_DONTWAIT));
      return count < 0 ? null : new TextDecoder().decode(buffer.subarray(0, count));
    },
    close: () => void symbols.close(fd),
  };
}
