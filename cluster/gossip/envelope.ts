/**
 * What protects packets and frames from strangers: a context that both sides must share, and with
 * keys AES-GCM. All of it is pure but for the session number, which comes from `Random`.
 *
 *     u8 0x6b     magic
 *     u8 1        version of the format
 *     u8 mode     0 plain, 1 sealed
 *     8 bytes     context: the first bytes of SHA-256 of what the two must agree on
 *     plain:      u32 CRC-32C of all of the above and the payload, payload
 *     sealed:     u64 session, u32 counter (the two are the nonce), ciphertext, 16 bytes tag;
 *                 the first eleven bytes are authenticated as well
 *
 * The first key of a ring seals, all of them open: to change keys, add the new one behind the old on
 * all members, then put it first everywhere, then take the old one out.
 *
 * Replays: incarnation numbers already make old claims harmless, since a newer one about the same
 * member wins. What is left to a replayer (make members answer old pings, object to old accusations,
 * or bring back for a while one that is long forgotten) ends here: a sender counts what it seals, and
 * a receiver takes each number of a session once, and none that is `WINDOW` behind the newest.
 * It remembers the last `SESSIONS_MAX` sessions; what was sent in one that it has forgotten, or
 * before it started itself, can still be replayed to it. Without keys there is no protection from
 * anybody who can send to the port and knows the context: the CRC finds accidents alone.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
} from "node:crypto";
import { crc32c } from "../../core/crc32c.ts";
import type { Random } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

const MAGIC = 0x6b;
const VERSION = 1;
const PLAIN = 0;
const SEALED = 1;
const HEAD_BYTES = 11;
const CRC_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const COUNTER_MAX = 0xffff_ffff;
/** Most keys that a ring may have: each costs an attempt at a packet that does not open. */
export const KEYS_MAX = 8;
/** So far behind the newest of its session something may arrive. */
const WINDOW = 1_024;
const SESSIONS_MAX = 4_096;

/** What sealing adds at most. */
export const ENVELOPE_BYTES = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/**
 * Why something was not opened: it is no gossip, of another version, of another network, sealed with
 * a key that is not ours (or plain where we have keys), or it has come before.
 */
export type Unopened = "malformed" | "version" | "network" | "key" | "replayed";

/** Keys of AES-128, -192 or -256: 16, 24 or 32 bytes each, the first for sealing. */
export type KeyRing = readonly Uint8Array[];

/** Throws an `OperatorError` if the keys cannot be used. */
export function checkKeys(keys: KeyRing): void {
  if (keys.length > KEYS_MAX) {
    throw new OperatorError(
      "the gossip keys cannot be used",
      `there are ${keys.length}, at most ${KEYS_MAX} are possible`,
      "take out the old ones",
    );
  }
  const bad = keys.find((key) => ![16, 24, 32].includes(key.length));
  if (bad === undefined) return;
  throw new OperatorError(
    "a gossip key cannot be used",
    `it has ${bad.length} bytes`,
    "give 16, 24 or 32 random bytes",
  );
}

/** What of one session has arrived: a ring of bits over the last `WINDOW` numbers. */
class ReplayWindow {
  #newest = -1;
  readonly #bits = new Uint32Array(WINDOW / 32);

  /** True the first time. */
  accept(counter: number): boolean {
    if (counter <= this.#newest - WINDOW) return false;
    if (counter > this.#newest) {
      const from = Math.max(this.#newest + 1, counter - WINDOW + 1);
      for (let at = from; at <= counter; at++) this.#clear(at);
      this.#newest = counter;
    }
    const index = (counter % WINDOW) >>> 5;
    const bit = 1 << (counter & 31);
    const bits = this.#bits[index] ?? 0;
    if ((bits & bit) !== 0) return false;
    this.#bits[index] = bits | bit;
    return true;
  }

  #clear(counter: number): void {
    const index = (counter % WINDOW) >>> 5;
    this.#bits[index] = (this.#bits[index] ?? 0) & ~(1 << (counter & 31));
  }
}

/** Seals and opens. */
export class Envelope {
  readonly #random: Random;
  readonly #head: Uint8Array;
  #keys: readonly KeyObject[] = [];
  #session: Uint8Array;
  #counter = 0;
  readonly #windows = new Map<string, ReplayWindow>();

  constructor(context: string, keys: KeyRing, random: Random) {
    this.#random = random;
    const digest = createHash("sha256").update(context).digest();
    this.#head = Uint8Array.of(MAGIC, VERSION, PLAIN, ...digest.subarray(0, 8));
    this.#session = random.bytes(8);
    this.setKeys(keys);
  }

  /** Takes other keys from now on; none for plain text. */
  setKeys(keys: KeyRing): void {
    checkKeys(keys);
    this.#keys = keys.map((key) => createSecretKey(key));
    this.#head[2] = keys.length === 0 ? PLAIN : SEALED;
  }

  /** What sealing adds. */
  get overheadBytes(): number {
    return this.#keys.length === 0 ? HEAD_BYTES + CRC_BYTES : ENVELOPE_BYTES;
  }

  seal(payload: Uint8Array): Uint8Array {
    const key = this.#keys[0];
    const out = new Uint8Array(payload.length + this.overheadBytes);
    out.set(this.#head);
    if (key === undefined) {
      out.set(payload, HEAD_BYTES + CRC_BYTES);
      new DataView(out.buffer).setUint32(HEAD_BYTES, this.#crc(payload));
      return out;
    }
    if (this.#counter > COUNTER_MAX) {
      this.#session = this.#random.bytes(8);
      this.#counter = 0;
    }
    out.set(this.#session, HEAD_BYTES);
    new DataView(out.buffer).setUint32(HEAD_BYTES + 8, this.#counter++);
    const nonce = out.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
    const cipher = createCipheriv(algorithmOf(key), key, nonce);
    cipher.setAAD(this.#head);
    out.set(cipher.update(payload), HEAD_BYTES + NONCE_BYTES);
    cipher.final();
    out.set(cipher.getAuthTag(), out.length - TAG_BYTES);
    return out;
  }

  /** The payload, or why there is none. Never throws, whatever the bytes are. */
  open(bytes: Uint8Array): Uint8Array | Unopened {
    if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC) return "malformed";
    if (bytes[1] !== VERSION) return "version";
    for (let at = 3; at < HEAD_BYTES; at++) if (bytes[at] !== this.#head[at]) return "network";
    if (bytes[2] !== this.#head[2]) return "key";
    return bytes[2] === PLAIN ? this.#openPlain(bytes) : this.#openSealed(bytes);
  }

  #openPlain(bytes: Uint8Array): Uint8Array | Unopened {
    if (bytes.length < HEAD_BYTES + CRC_BYTES) return "malformed";
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const payload = bytes.subarray(HEAD_BYTES + CRC_BYTES);
    return view.getUint32(HEAD_BYTES) === this.#crc(payload) ? payload : "malformed";
  }

  #openSealed(bytes: Uint8Array): Uint8Array | Unopened {
    if (bytes.length < ENVELOPE_BYTES) return "malformed";
    const payload = this.#decrypt(bytes);
    if (payload === null) return "key";
    const nonce = Buffer.from(bytes.buffer, bytes.byteOffset + HEAD_BYTES, NONCE_BYTES);
    const window = this.#window(nonce.toString("latin1", 0, 8));
    return window.accept(nonce.readUInt32BE(8)) ? payload : "replayed";
  }

  #decrypt(bytes: Uint8Array): Uint8Array | null {
    const nonce = bytes.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
    for (const key of this.#keys) {
      const decipher = createDecipheriv(algorithmOf(key), key, nonce);
      decipher.setAAD(this.#head);
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      const payload = decipher.update(
        bytes.subarray(HEAD_BYTES + NONCE_BYTES, bytes.length - TAG_BYTES),
      );
      try {
        decipher.final();
        return new Uint8Array(payload.buffer, payload.byteOffset, payload.length);
      } catch {
        // Another key may open it.
      }
    }
    return null;
  }

  #window(session: string): ReplayWindow {
    const window = this.#windows.get(session) ?? new ReplayWindow();
    // Behind all others: the first of the map is the one that was silent for longest.
    this.#windows.delete(session);
    this.#windows.set(session, window);
    if (this.#windows.size > SESSIONS_MAX) {
      for (const oldest of this.#windows.keys()) {
        this.#windows.delete(oldest);
        break;
      }
    }
    return window;
  }

  #crc(payload: Uint8Array): number {
    return crc32c(payload, 0, payload.length, crc32c(this.#head));
  }
}

function algorithmOf(key: KeyObject): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" {
  switch (key.symmetricKeySize) {
    case 16:
      return "aes-128-gcm";
    case 24:
      return "aes-192-gcm";
    default:
      return "aes-256-gcm";
  }
}
