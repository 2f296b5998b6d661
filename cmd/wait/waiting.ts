/** What all of `kstream wait` share: a connection, looks until the deadline, what is said at the end. */
import { Admin } from "../../client/admin.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo, clientOptions } from "../client.ts";
import { print, printJson } from "../output.ts";
import { Patience } from "../patience.ts";
import type { Look } from "../patience.ts";

/** Options of every `wait`. */
export interface WaitOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** One broker that does not answer must not use up all of the time. */
const ATTEMPT_MS = 5000;

/**
 * Looks until it finds the words for what has come true, and prints them. Throws an `OperatorError`:
 * 1 not by the deadline, 3 no broker answered.
 */
export async function waitFor(
  subject: string,
  options: WaitOptions,
  look: (admin: Admin) => Promise<Look<string>>,
): Promise<void> {
  const patience = new Patience(options.timeout * 1000);
  const client = clientOptions({
    ...options,
    timeout: Math.min(options.timeout, ATTEMPT_MS / 1000),
  });
  const admin = new Admin(clientIo, client);
  try {
    const found = await patience.until(async () => {
      // A broker that is not there shows at once, without the patience of retries.
      await admin.cluster.any();
      return await look(admin);
    });
    await sayWaited(subject, options, patience, found);
  } finally {
    admin.close();
  }
}

/** Prints how it ended; throws if nothing was found. */
export async function sayWaited(
  subject: string,
  { json }: WaitOptions,
  patience: Patience,
  found: string | null,
): Promise<void> {
  const failure = found === null ? patience.failure(`${subject} is not as wanted`) : null;
  if (json) {
    const detail = found ?? failure?.why ?? "";
    await printJson({ subject, held: failure === null, detail, elapsedMs: patience.elapsedMs });
  } else if (found !== null) await print(`${found}\n`);
  if (failure !== null) throw failure;
}
