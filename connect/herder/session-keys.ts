/** The keys that workers of a group sign their requests to one another with (KIP-507). */
import type { Clock, Random } from "../../core/io.ts";
import type { SessionKey } from "./config-records.ts";
import type { ConfigState } from "./config-state.ts";

/** Of the key that signs; and what it signs with. */
const KEY_BYTES = 32;
export const KEY_ALGORITHM = "HmacSHA256";
/** A key of this age is exchanged (`inter.worker.key.ttl.ms`). */
const KEY_TTL_MS = 3_600_000;

/** See the head of the file. */
export class SessionKeys {
  constructor(private readonly clock: Clock, private readonly random: Random) {}

  /** As leader: writes another key where there is none, or one that is too old. */
  async renew(
    state: ConfigState,
    leader: { putSessionKey(key: SessionKey): Promise<void> },
  ): Promise<void> {
    const nowMs = this.clock.wallMs();
    const { sessionKey } = state;
    if (sessionKey !== null && nowMs - sessionKey.createdMs < KEY_TTL_MS) return;
    const key = this.random.bytes(KEY_BYTES);
    await leader.putSessionKey({ key, algorithm: KEY_ALGORITHM, createdMs: nowMs });
  }
}
