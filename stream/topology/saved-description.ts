/** Descriptions that were saved as JSON. */
import { descriptionSchema } from "../../core/streams/schemas.ts";
import type { TopologyDescription } from "../../core/streams/topology-description.ts";

/** What is wrong with a text that is no description; or the description. */
export function readDescription(
  text: string,
): { readonly description: TopologyDescription } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "it is not JSON" };
  }
  const parsed = descriptionSchema.safeParse(value);
  if (parsed.success) return { description: parsed.data };
  const [issue] = parsed.error.issues;
  return { problem: `${issue?.path.join(".")}: ${issue?.message}` };
}
