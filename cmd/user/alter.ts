import { readFileSync } from "node:fs";
import type { Admin, ScramMechanism } from "../../client/admin.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminOptions, refusal, withAdmin } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";

const STANDARD_INPUT = 0;

interface JsonOptions extends AdminOptions {
  readonly json?: true | undefined;
}

/** Options of `kstream user set`. */
export interface SetOptions extends JsonOptions {
  readonly passwordFile?: string | undefined;
  readonly mechanism: ScramMechanism;
  readonly iterations: number;
}

/** `kstream user set`. */
export async function setUser(name: string, options: SetOptions): Promise<void> {
  const password = passwordOf(options.passwordFile);
  const { mechanism, iterations } = options;
  await withAdmin(options, async (admin) => {
    try {
      await admin.users.set(name, password, { mechanism, iterations });
    } catch (error) {
      throw refusal(`cannot set the password of ${name}`, error);
    }
  });
  if (options.json) return await printJson({ name, mechanism, iterations });
  await print(`set the password of ${name} (${mechanism})\n`);
}

/** `kstream user delete`. */
export async function deleteUsers(
  names: readonly string[],
  options: JsonOptions & { readonly mechanism?: ScramMechanism | undefined },
): Promise<void> {
  await withAdmin(options, async (admin) => {
    for (const name of names) await deleteUser(admin, name, options.mechanism ?? null);
  });
  if (options.json) return await printJson(names.map((name) => ({ name })));
  await print(names.map((name) => `deleted user ${name}\n`).join(""));
}

async function deleteUser(
  admin: Admin,
  name: string,
  only: ScramMechanism | null,
): Promise<void> {
  try {
    const [user] = await admin.users.list([name]);
    const known = Object.keys(user?.iterations ?? {}) as ScramMechanism[];
    const mechanisms = known.filter((each) => only === null || each === only);
    if (mechanisms.length === 0) {
      throw new OperatorError(`there is no user ${name}`, "", "see kstream user list");
    }
    await admin.users.delete(name, mechanisms);
  } catch (error) {
    throw refusal(`cannot delete user ${name}`, error);
  }
}

/** The first line of the file, or what the environment says. */
function passwordOf(file: string | undefined): string {
  const password = file === undefined
    ? process.env["KSTREAM_USER_PASSWORD"] ?? ""
    : textOf(file).replace(/\r?\n$/, "");
  if (password !== "" && !/[\r\n]/.test(password)) return password;
  throw new OperatorError(
    password === "" ? "there is no password" : "the password has several lines",
    "",
    "put it into a file and name that with --password-file (- for standard input), or set " +
      "KSTREAM_USER_PASSWORD",
    2,
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file === "-" ? STANDARD_INPUT : file, "utf8");
  } catch (error) {
    throw new OperatorError(
      `cannot read --password-file ${file}`,
      reasonOf(error),
      "name a file that is there",
      2,
    );
  }
}
