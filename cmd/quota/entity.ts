import { OperatorError } from "../../core/operator-error.ts";
import type { QuotaEntity } from "../../client/admin.ts";
import type { AdminOptions } from "../admin-command.ts";

/** Options of every `quota` command: what the quotas are for. */
export interface EntityOptions extends AdminOptions {
  readonly user?: string | undefined;
  readonly defaultUser?: boolean | undefined;
  readonly clientId?: string | undefined;
  readonly defaultClientId?: boolean | undefined;
  readonly ip?: string | undefined;
  readonly defaultIp?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** The entity that the options name, maybe none. Throws where they contradict one another (usage). */
export function entityOf(options: EntityOptions): QuotaEntity {
  const parts: [type: string, name: string | undefined, isDefault: boolean | undefined][] = [
    ["user", options.user, options.defaultUser],
    ["client-id", options.clientId, options.defaultClientId],
    ["ip", options.ip, options.defaultIp],
  ];
  const entity: Record<string, string | null> = {};
  for (const [type, name, isDefault] of parts) {
    if (name !== undefined && isDefault === true) {
      throw new OperatorError(
        `--${type} and --default-${type} exclude each other`,
        "",
        "choose one",
        2,
      );
    }
    if (name !== undefined) entity[type] = name;
    else if (isDefault === true) entity[type] = null;
  }
  if ("ip" in entity && Object.keys(entity).length > 1) {
    throw new OperatorError(
      "an address has quotas of its own",
      "they cannot depend on user or client id",
      "leave out --ip or the others",
      2,
    );
  }
  return entity;
}

/** As `entityOf`, but there must be one. */
export function oneEntity(options: EntityOptions): QuotaEntity {
  const entity = entityOf(options);
  if (Object.keys(entity).length > 0) return entity;
  throw new OperatorError(
    "it is not said whose quotas are meant",
    "",
    "give --user, --client-id, --ip or one of their defaults",
    2,
  );
}

/** The entity in a sentence. */
export function shownEntity(entity: QuotaEntity): string {
  return Object.entries(entity)
    .map(([type, name]) => name === null ? `default ${type}` : `${type} ${name}`)
    .join(", ");
}
