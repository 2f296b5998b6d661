/**
 * The few calls of the C library that neither Bun nor Node has: directory locks, whether a pipe has
 * a reader, room for a file, writing out a file system, sending a file to a socket, and whether the
 * page cache holds bytes. The last four are Linux's; elsewhere they say that they cannot, and the
 * callers do without.
 */
import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { DiskError } from "../../io.ts";

const RWF_NOWAIT = 8;
const EAGAIN = 11;
/** Distance between the bytes that are probed: readahead brings at least as much at once. */
const PROBE_STEP_BYTES = 128 * 1024;

type Flock = (fd: number, operation: number) => number;
let loadedFlock: Flock | null = null;

/** `flock(2)`. */
export function flock(fd: number, operation: number): number {
  loadedFlock ??= open({ flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } }).flock;
  return loadedFlock(fd, operation);
}

const POLLERR = 8;
const POLLHUP = 16;

type Poll = (descriptors: Uint8Array, count: number, timeoutMs: number) => number;
let loadedPoll: Poll | null = null;

/**
 * Whether the reader of a pipe or the peer of a socket has gone, by `poll(2)`: a writer who has
 * nothing to write learns it in no other way. False for files, and where it cannot be asked.
 */
export function readerGone(fd: number): boolean {
  const { i32, u64, ptr: pointer } = FFIType;
  try {
    loadedPoll ??= open({ poll: { args: [pointer, u64, i32], returns: i32 } }).poll;
  } catch {
    return false;
  }
  // struct pollfd: int fd, short events, short revents.
  const descriptor = new DataView(new ArrayBuffer(8));
  descriptor.setInt32(0, fd, true);
  const answered = loadedPoll(new Uint8Array(descriptor.buffer), 1, 0);
  return answered > 0 && (descriptor.getInt16(6, true) & (POLLERR | POLLHUP)) !== 0;
}

function libraryNames(): string[] {
  if (process.platform === "darwin") return ["libSystem.B.dylib"];
  const musl = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  return ["libc.so.6", musl, "libc.so"];
}

function open<T extends Parameters<typeof dlopen>[1]>(symbols: T) {
  let cause: unknown = null;
  for (const name of libraryNames()) {
    try {
      return dlopen(name, symbols).symbols;
    } catch (error) {
      cause = error;
    }
  }
  throw new DiskError("ENOSYS", "/", `the C library lacks a call: ${String(cause)}`);
}

const FALLOC_FL_KEEP_SIZE = 1;

type Fallocate = (fd: number, mode: number, offset: bigint, length: bigint) => number;
let loadedFallocate: Fallocate | null = null;

/** `fallocate(2)` from the start of the file, which keeps its size. False if it was refused. */
export function reserveRoom(fd: number, length: number): boolean {
  if (process.platform !== "linux") return false;
  const { i32, i64 } = FFIType;
  loadedFallocate ??= open({ fallocate: { args: [i32, i32, i64, i64], returns: i32 } }).fallocate;
  return loadedFallocate(fd, FALLOC_FL_KEEP_SIZE, 0n, BigInt(length)) === 0;
}

type Syncfs = (fd: number) => number;
let loadedSyncfs: Syncfs | null = null;

/**
 * `syncfs(2)`: writes out everything of the file system that the descriptor is on, and waits for it.
 * Linux alone has it. Throws a `DiskError` where it is not there.
 */
export function syncFileSystem(fd: number): void {
  const { i32 } = FFIType;
  loadedSyncfs ??= open({ syncfs: { args: [i32], returns: i32 } }).syncfs;
  loadedSyncfs(fd);
}

/** Linux's calls, with the memory that they are handed. */
function openLinux() {
  const { i32, ptr: pointer, u64, i64, i64_fast } = FFIType;
  const calls = open({
    sendfile: { args: [i32, i32, pointer, u64], returns: i64_fast },
    preadv2: { args: [i32, pointer, i32, i64, i32], returns: i64_fast },
    __errno_location: { args: [], returns: pointer },
  });
  const offset = new BigInt64Array(1);
  const probed = new Uint8Array(1);
  const vector = new BigUint64Array([BigInt(ptr(probed)), 1n]);
  return { calls, offset, offsetPointer: ptr(offset), probed, vector, vectorPointer: ptr(vector) };
}

let linux: ReturnType<typeof openLinux> | null | undefined;

function linuxCalls(): ReturnType<typeof openLinux> | null {
  if (linux !== undefined) return linux;
  try {
    linux = process.platform === "linux" ? openLinux() : null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    linux = null;
  }
  return linux;
}

/** Whether `sendFile` can do anything here. */
export function canSendFile(): boolean {
  return linuxCalls() !== null;
}

/**
 * `sendfile(2)`: moves up to `length` bytes of `fileFd` from `position` into the socket. Returns
 * how many went, 0 or less if none did: the socket is full, or either end has failed.
 */
export function sendFile(
  socketFd: number,
  fileFd: number,
  position: number,
  length: number,
): number {
  const system = linuxCalls();
  if (system === null) return 0;
  system.offset[0] = BigInt(position);
  return Number(system.calls.sendfile(socketFd, fileFd, system.offsetPointer, BigInt(length)));
}

/**
 * Whether the page cache holds the bytes, by probing some of them without waiting. True where the
 * system cannot tell.
 */
export function isInPageCache(fd: number, position: number, length: number): boolean {
  const system = linuxCalls();
  if (system === null || length === 0) return true;
  const last = position + length - 1;
  for (let at = position; at < last; at += PROBE_STEP_BYTES) {
    if (!isByteCached(system, fd, at)) return false;
  }
  return isByteCached(system, fd, last);
}

function isByteCached(system: ReturnType<typeof openLinux>, fd: number, at: number): boolean {
  const count = system.calls.preadv2(fd, system.vectorPointer, 1, BigInt(at), RWF_NOWAIT);
  if (Number(count) >= 0) return true;
  const errno = system.calls.__errno_location();
  return errno === null || read.i32(errno, 0) !== EAGAIN;
}

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
/** `sun_path` with its end. */
const SOCKET_PATH_BYTES_MAX = 108;

/**
 * One datagram to a Unix socket, which neither Bun nor Node can send. A path that begins with `@` is
 * abstract. False if it could not be sent; Linux alone.
 */
export function sendUnixDatagram(path: string, message: Uint8Array): boolean {
  if (process.platform !== "linux" || message.length === 0) return false;
  const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : path);
  if (name.length === 0 || name.length >= SOCKET_PATH_BYTES_MAX) return false;
  const { i32, u32, u64, i64_fast, ptr: pointer } = FFIType;
  const calls = open({
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, pointer, u64, i32, pointer, u32], returns: i64_fast },
    close: { args: [i32], returns: i32 },
  });
  // struct sockaddr_un: the family in the machine's order, then the path.
  const address = new Uint8Array(2 + SOCKET_PATH_BYTES_MAX);
  address[0] = AF_UNIX;
  address.set(name, 2);
  const isAbstract = path.startsWith("@");
  const addressBytes = 2 + name.length + (isAbstract ? 0 : 1);
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    const sent = calls.sendto(fd, message, message.length, 0, address, addressBytes);
    return Number(sent) === message.length;
  } finally {
    calls.close(fd);
  }
}

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * `prctl(PR_SET_PDEATHSIG)`: the kernel kills this process when the one that started it is gone, even
 * if nothing of it runs any more. Linux's; elsewhere nothing happens.
 */
export function endWithParent(): void {
  if (process.platform !== "linux") return;
  const { i32, u64 } = FFIType;
  try {
    open({ prctl: { args: [i32, u64], returns: i32 } }).prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL));
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
