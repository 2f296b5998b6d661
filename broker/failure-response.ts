import type { ErrorCode } from "../core/errors.ts";
import type { Api, EncodableResponse, RequestOf } from "../core/protocol/schema.ts";
import type { AnyHandler } from "./handler.ts";

/** The response that says `code` for the whole request, or null if it has no place for it. */
export function failureResponse(
  handler: AnyHandler,
  request: RequestOf<Api>,
  code: ErrorCode,
): EncodableResponse<Api> | null {
  if (handler.failure !== undefined) return handler.failure(request, code);
  return "errorCode" in handler.api.response.fields ? { errorCode: code } : null;
}
