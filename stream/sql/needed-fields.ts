/** What of its sources a query has use for: the rest need not go through topics and stores of joins. */
import { PSEUDO_FIELDS } from "./evaluate.ts";
import type { Query } from "./syntax.ts";

/** Fields of a source's records that the query names; null: all of them. */
export function neededFields(query: Query, alias: string): ReadonlySet<string> | null {
  const isWhole = query.selected.some((item) => {
    return item.kind === "all" && (item.source === null || item.source === alias);
  });
  const { selected, joins, where, groupBy, having, partitionBy } = query;
  const paths = pathsIn([selected, joins.map(({ on }) => on), where, groupBy, having, partitionBy]);
  const own = paths.filter(([first]) => first === alias);
  if (isWhole || own.some((path) => path.length === 1)) return null;
  return new Set(own.flatMap(([, field, ...rest]) => {
    const isPseudo = rest.length === 0 && PSEUDO_FIELDS.has(field!.toLowerCase());
    return isPseudo ? [] : [field!];
  }));
}

/** Leaves of records what is needed; of what is no record nothing can be left out. */
export function keepFields(needed: ReadonlySet<string> | null): (value: unknown) => unknown {
  if (needed === null) return (value) => value;
  const fields = [...needed];
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const has = fields.filter((field) => Object.hasOwn(value, field));
    return Object.fromEntries(has.map((field) => [field, Reflect.get(value, field)] as const));
  };
}

/**
 * Sources whose own keys or times a query names, which have to be kept beside their values: in joins the
 * key becomes another one; rows of tables come without their times.
 */
export function keptSources(query: Query): ReadonlySet<number> {
  const { selected, joins, where, groupBy, having, partitionBy, from } = query;
  const aliases = [from.alias, ...joins.map(({ source }) => source.alias)];
  const named = pathsIn([selected, where, groupBy, having, partitionBy]);
  // What the first join is by is the key yet, and what is joined goes by its own.
  const on = joins.flatMap((join, at) => {
    return pathsIn(join.on).filter(([alias]) => at > 0 && alias !== join.source.alias);
  });
  const isNamed = (path: readonly string[], name: string) => path.at(-1)!.toLowerCase() === name;
  if (from.isTable && named.some((path) => path.length < 3 && isNamed(path, "rowtime"))) {
    return new Set(aliases.keys());
  }
  return new Set([...named, ...on].flatMap((path) => {
    const at = path.length === 2 && joins.length > 0 ? aliases.indexOf(path[0]!) : -1;
    return at >= 0 && (isNamed(path, "rowkey") || isNamed(path, "rowtime")) ? [at] : [];
  }));
}

/** Names in expressions, as they are written. */
export function pathsIn(part: unknown): (readonly string[])[] {
  if (typeof part !== "object" || part === null) return [];
  if ("kind" in part && part.kind === "path" && "names" in part && Array.isArray(part.names)) {
    return [part.names.map(String)];
  }
  return Object.values(part).flatMap(pathsIn);
}
