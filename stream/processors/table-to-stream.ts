/** The changes of a table as a stream of its new values (Kafka's `KTable#toStream`). */
import type { Change } from "./change.ts";
import { withValue } from "../record.ts";
import { stateless } from "./stateless.ts";

export const tableToStream = stateless((record, forward) => {
  // Behind a table there are changes only.
  const { newValue } = record.value as Change<unknown>;
  forward(withValue(record, newValue));
});
