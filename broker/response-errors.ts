/** Finds errors in responses of whatever API, by the definition of the response. */
import { type ErrorCode, errorCode, Errors } from "../core/errors.ts";
import type { Api, EncodableResponse, Fields } from "../core/protocol/schema.ts";

/** Where a struct has error codes: in itself, and in which of its fields. */
interface ErrorPlaces {
  readonly isHere: boolean;
  readonly below: readonly (readonly [name: string, places: ErrorPlaces])[];
}

const placesByApi = new WeakMap<Api, ErrorPlaces>();

/** The first error in a response, or NONE. */
export function firstError(api: Api, response: EncodableResponse<Api>): ErrorCode {
  let places = placesByApi.get(api);
  if (places === undefined) {
    places = placesIn(api.response.fields);
    placesByApi.set(api, places);
  }
  return find(response, places);
}

function placesIn(fields: Fields): ErrorPlaces {
  const below: [string, ErrorPlaces][] = [];
  for (const [name, field] of Object.entries(fields)) {
    const inner = field.fields ?? (typeof field.items === "object" ? field.items : null);
    if (inner === null) continue;
    const places = placesIn(inner);
    if (places.isHere || places.below.length > 0) below.push([name, places]);
  }
  return { isHere: "errorCode" in fields || "partitionErrorCode" in fields, below };
}

function find(struct: { readonly [name: string]: unknown }, places: ErrorPlaces): ErrorCode {
  if (places.isHere) {
    const code = struct["errorCode"] ?? struct["partitionErrorCode"];
    if (typeof code === "number" && code !== Errors.NONE) return errorCode(code);
  }
  for (const [name, inner] of places.below) {
    const value = struct[name];
    if (!Array.isArray(value)) {
      if (!isStruct(value)) continue;
      const code = find(value, inner);
      if (code !== Errors.NONE) return code;
      continue;
    }
    for (const item of value) {
      const code = find(item, inner);
      if (code !== Errors.NONE) return code;
    }
  }
  return Errors.NONE;
}

function isStruct(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null;
}
