import { OperatorError } from "../../core/operator-error.ts";
import type { ConfigChange, ConfigResource } from "../../client/admin.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { configRefusal, requireBroker, requireKnown, resourceOf, shown } from "./resource.ts";

/** Options of `config set` and `config unset`. */
export interface AlterOptions extends AdminOptions {
  readonly validateOnly?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream config set`. */
export async function setConfigs(
  wanted: ConfigResource,
  texts: readonly string[],
  options: AlterOptions,
): Promise<void> {
  const changes = texts.map((text): ConfigChange => {
    const equals = text.indexOf("=");
    if (equals <= 0) {
      throw new OperatorError(`"${text}" sets nothing`, "", "write it as config=value", 2);
    }
    return { name: text.slice(0, equals), operation: "set", value: text.slice(equals + 1) };
  });
  const twice = changes.find(({ name }, index) =>
    changes.findIndex((other) => other.name === name) !== index
  );
  if (twice !== undefined) {
    throw new OperatorError(`config "${twice.name}" is set twice`, "", "choose one", 2);
  }
  await alter(wanted, changes, options);
}

/** `kstream config unset`. */
export async function unsetConfigs(
  wanted: ConfigResource,
  names: readonly string[],
  options: AlterOptions,
): Promise<void> {
  const changes = [...new Set(names)].map((name): ConfigChange => ({
    name,
    operation: "delete",
    value: null,
  }));
  await alter(wanted, changes, options);
}

async function alter(
  wanted: ConfigResource,
  changes: readonly ConfigChange[],
  options: AlterOptions,
): Promise<void> {
  const resource = resourceOf(wanted);
  const validateOnly = options.validateOnly === true;
  await withAdmin(options, async (admin) => {
    await requireBroker(admin, resource);
    try {
      await requireKnown(admin, resource, deletedOf(changes));
      await admin.incrementalAlterConfigs(resource, changes, { validateOnly });
    } catch (error) {
      throw await configRefusal(admin, "cannot change configs of", resource, error);
    }
  });
  if (options.json) {
    const set = changes.filter(({ operation }) => operation === "set");
    return await printJson({
      ...wanted,
      changed: !validateOnly,
      set: Object.fromEntries(set.map(({ name, value }) => [name, value])),
      unset: deletedOf(changes),
    });
  }
  const said = changes.map(({ name, operation, value }) =>
    operation === "set" ? `${name}=${value}` : `${name} to its default`
  );
  const done = validateOnly ? "could change" : "changed";
  await print(`${done} ${shown(resource)}: ${said.join(", ")}\n`);
}

function deletedOf(changes: readonly ConfigChange[]): string[] {
  return changes.flatMap(({ operation, name }) => operation === "delete" ? [name] : []);
}
