import type { Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { Authorizer } from "./authorizer.ts";
import type { ApiTable } from "./api-table.ts";

/**
 * The services of a running broker, as its handlers see them. `start-broker.ts` builds it; a part
 * that gives handlers a service adds its field here and its construction there.
 */
export interface Broker {
  readonly io: Io;
  readonly logger: Logger;
  readonly authorizer: Authorizer;
  /** What this broker serves. */
  readonly apis: ApiTable;
}
