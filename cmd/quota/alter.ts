import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, QuotaEntity } from "../../client/admin.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { type EntityOptions, oneEntity, shownEntity } from "./entity.ts";

const QUOTAS = [
  "producer_byte_rate",
  "consumer_byte_rate",
  "request_percentage",
  "controller_mutation_rate",
  "connection_creation_rate",
];

type Changes = Readonly<Record<string, number | null>>;

/** `kstream quota set`. */
export async function setQuotas(texts: readonly string[], options: EntityOptions): Promise<void> {
  const entity = oneEntity(options);
  const changes = Object.fromEntries(texts.map(parseQuota));
  if (Object.keys(changes).length < texts.length) {
    throw new OperatorError("a quota is set twice", "", "choose one", 2);
  }
  await withAdmin(options, (admin) => alter(admin, entity, changes));
  await report(entity, changes, options);
}

/** `kstream quota unset`. */
export async function unsetQuotas(
  names: readonly string[],
  options: EntityOptions,
): Promise<void> {
  const entity = oneEntity(options);
  const changes = await withAdmin(options, async (admin) => {
    const removed: Changes = names.length > 0
      ? Object.fromEntries(names.map((name) => [name, null]))
      : await allOf(admin, entity);
    if (Object.keys(removed).length === 0) {
      throw new OperatorError(`${shownEntity(entity)} has no quotas`, "", "see kstream quota list");
    }
    await alter(admin, entity, removed);
    return removed;
  });
  await report(entity, changes, options);
}

function parseQuota(text: string): [key: string, value: number] {
  const [key = "", value = "", ...more] = text.split("=");
  const number = Number(value);
  if (key !== "" && value.trim() !== "" && Number.isFinite(number) && more.length === 0) {
    return [key, number];
  }
  throw new OperatorError(`"${text}" sets no quota`, "", "write it as quota=number", 2);
}

/** All quotas of exactly this entity, to be removed. */
async function allOf(admin: Admin, entity: QuotaEntity): Promise<Changes> {
  const found = await admin.quotas.describe(entity);
  const own = found.find((each) => Object.keys(each.entity).length === Object.keys(entity).length);
  return Object.fromEntries(Object.keys(own?.quotas ?? {}).map((key) => [key, null]));
}

async function alter(admin: Admin, entity: QuotaEntity, changes: Changes): Promise<void> {
  try {
    await admin.quotas.alter(entity, changes);
  } catch (error) {
    const what = `cannot change quotas of ${shownEntity(entity)}`;
    throw unknownQuota(what, changes) ?? refusal(what, error);
  }
}

/** Of a refused change: a name that is not known here, with what may be meant. */
function unknownQuota(what: string, changes: Changes): OperatorError | null {
  const name = Object.keys(changes).find((key) => !QUOTAS.includes(key));
  if (name === undefined) return null;
  const near = didYouMean(name, QUOTAS);
  const hint = near === null ? `choose of ${QUOTAS.join(", ")}` : `did you mean ${near}?`;
  return new OperatorError(what, `there is no quota "${name}"`, hint);
}

async function report(
  entity: QuotaEntity,
  changes: Changes,
  options: EntityOptions,
): Promise<void> {
  if (options.json) return await printJson({ entity, quotas: changes });
  const said = Object.entries(changes).map(([key, value]) =>
    value === null ? `no ${key}` : `${key}=${value}`
  );
  await print(`changed quotas of ${shownEntity(entity)}: ${said.join(", ")}\n`);
}
