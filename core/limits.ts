/** Bounds of the whole program, with their units in their names. */
import { assert } from "./assert.ts";

/** Longest string of the wire protocol (its length is an int16). */
export const WIRE_STRING_BYTES_MAX = 32_767;

/**
 * Most array elements and unknown tags, at all depths, in a decoded request or record: an empty
 * struct takes 3 bytes on the wire but some hundred in memory, so the size of a frame alone does
 * not bound what decoding it takes.
 */
export const WIRE_REQUEST_ELEMENTS_MAX = 1 << 20;

/** The same for responses, which come from brokers that somebody chose to trust. */
export const WIRE_RESPONSE_ELEMENTS_MAX = 1 << 24;

/** Room that encoders keep between messages; a larger message gets more, for that one time. */
export const ENCODE_SCRATCH_BYTES = 64 * 1024;

/** The most scratch room that is kept once a large message has been encoded. */
export const ENCODE_SCRATCH_KEPT_BYTES = 1024 * 1024;

/** Largest message that is encoded, not counting record batches, which are passed on uncopied. */
export const ENCODE_MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/** From this size on, encoders pass byte fields on as chunks of their own instead of copying. */
export const ENCODE_BY_REFERENCE_BYTES_MIN = 1024;

assert(ENCODE_SCRATCH_BYTES <= ENCODE_SCRATCH_KEPT_BYTES, "initial scratch room may be kept");
assert(ENCODE_SCRATCH_KEPT_BYTES <= ENCODE_MESSAGE_BYTES_MAX, "kept scratch room is a message's");
assert(
  WIRE_STRING_BYTES_MAX * 3 < ENCODE_SCRATCH_KEPT_BYTES,
  "the longest string fits the scratch room that is kept",
);
