/** How the admin server knows applications of `kstream stream`, and who of them it asks. */
import type { HostRule } from "./host-rules.ts";

export interface StreamsLink {
  /** For hosts that an operator has named; null: there is none. */
  readonly token: string | null;
  /** Hosts that an operator has named. */
  readonly rules: readonly HostRule[];
  /** The protocol that members of ours agree on in a classic group. */
  readonly protocol: string;
  /** Where a member of ours says that it is asked, by its assignor's data; null: nowhere. */
  endpointIn(userData: Uint8Array): Promise<string | null>;
}
