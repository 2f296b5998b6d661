/** What may go wrong with a request, as its problem. */
import { OperatorError } from "../core/operator-error.ts";
import { kafkaProblem } from "./kafka-problem.ts";
import { Problem } from "./problem.ts";

/** The problem; null for what is a bug. */
export function clientProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof OperatorError) return Problem.of(error);
  return kafkaProblem(error);
}
