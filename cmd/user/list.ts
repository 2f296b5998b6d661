import { type AdminOptions, refusal, withAdmin } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";

/** `kstream user list`. */
export async function listUsers(
  names: readonly string[],
  options: AdminOptions & { readonly json?: true | undefined },
): Promise<void> {
  const users = await withAdmin(options, async (admin) => {
    try {
      return await admin.users.list(names.length === 0 ? null : names);
    } catch (error) {
      throw refusal("cannot list users", error);
    }
  });
  if (options.json) return await printJson(users);
  const rows = users.flatMap(({ name, iterations }) =>
    Object.entries(iterations).map(([mechanism, count]) => ({ name, mechanism, count }))
  );
  await print(formatTable(rows, [
    { title: "USER", cell: ({ name }) => name },
    { title: "MECHANISM", cell: ({ mechanism }) => mechanism },
    { title: "ITERATIONS", cell: ({ count }) => count, right: true },
  ]));
}
