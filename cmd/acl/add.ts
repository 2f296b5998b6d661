import type { AclEntry, AclPermission } from "../../core/acl.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { throwFailures, withAdmin } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import {
  aclJson,
  aclRefusal,
  oneResource,
  operationOf,
  principalOf,
  type ResourceOptions,
  shownEntry,
} from "./resource.ts";

/** Options of `acl add`. */
export interface AddOptions extends ResourceOptions {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
  readonly operation: string;
  readonly host: string;
  readonly prefix?: boolean | undefined;
}

/** `kstream acl add`. */
export async function addAcls(options: AddOptions): Promise<void> {
  const entries = entriesOf(options);
  await withAdmin(options, async (admin) => {
    const results = await admin.acls.create(entries).catch((error: unknown) => {
      throw aclRefusal("cannot add rules", error);
    });
    const done = results.filter(({ error }) => error === null).map(({ entry }) => entry);
    if (options.json) await printJson(done.map(aclJson));
    else await print(done.map((entry) => `${shownEntry(entry)}\n`).join(""));
    const failures = results.flatMap(({ entry, error }) =>
      error === null ? [] : [{ entry, error }]
    );
    // Without an authorizer the broker says so of each rule; once is enough.
    const told = new Set(failures.map(({ error }) => error.code)).size === 1
      ? failures.slice(0, 1)
      : failures;
    throwFailures(
      told.map(({ entry, error }) => aclRefusal(`cannot add "${shownEntry(entry)}"`, error)),
    );
  });
}

/** One rule for each principal and operation. */
function entriesOf(options: AddOptions): AclEntry[] {
  const resource = oneResource(options);
  const operations = options.operation.split(",").map(operationOf);
  const principals: [string, AclPermission][] = [
    ...(options.allow ?? []).map((name): [string, AclPermission] => [principalOf(name), "ALLOW"]),
    ...(options.deny ?? []).map((name): [string, AclPermission] => [principalOf(name), "DENY"]),
  ];
  if (principals.length === 0) {
    throw new OperatorError("it is not said for whom", "", "give --allow or --deny", 2);
  }
  return principals.flatMap(([principal, permission]) =>
    operations.map((operation): AclEntry => ({
      ...resource,
      patternType: options.prefix === true ? "PREFIXED" : "LITERAL",
      principal,
      host: options.host,
      operation,
      permission,
    }))
  );
}
